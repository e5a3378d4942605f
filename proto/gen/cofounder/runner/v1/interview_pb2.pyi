import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Confidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFIDENCE_UNSPECIFIED: _ClassVar[Confidence]
    CONFIDENCE_STRONG: _ClassVar[Confidence]
    CONFIDENCE_MODERATE: _ClassVar[Confidence]
    CONFIDENCE_NEEDS_DEPTH: _ClassVar[Confidence]
CONFIDENCE_UNSPECIFIED: Confidence
CONFIDENCE_STRONG: Confidence
CONFIDENCE_MODERATE: Confidence
CONFIDENCE_NEEDS_DEPTH: Confidence

class Question(_message.Message):
    __slots__ = ("question_id", "text", "input_type", "required", "options", "follow_up_hint")
    class InputType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INPUT_TYPE_UNSPECIFIED: _ClassVar[Question.InputType]
        INPUT_TYPE_TEXT: _ClassVar[Question.InputType]
        INPUT_TYPE_TEXTAREA: _ClassVar[Question.InputType]
        INPUT_TYPE_MULTIPLE_CHOICE: _ClassVar[Question.InputType]
    INPUT_TYPE_UNSPECIFIED: Question.InputType
    INPUT_TYPE_TEXT: Question.InputType
    INPUT_TYPE_TEXTAREA: Question.InputType
    INPUT_TYPE_MULTIPLE_CHOICE: Question.InputType
    QUESTION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_HINT_FIELD_NUMBER: _ClassVar[int]
    question_id: str
    text: str
    input_type: Question.InputType
    required: bool
    options: _containers.RepeatedScalarFieldContainer[str]
    follow_up_hint: str
    def __init__(self, question_id: _Optional[str] = ..., text: _Optional[str] = ..., input_type: _Optional[_Union[Question.InputType, str]] = ..., required: _Optional[bool] = ..., options: _Optional[_Iterable[str]] = ..., follow_up_hint: _Optional[str] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("question_id", "text")
    QUESTION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    question_id: str
    text: str
    def __init__(self, question_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class BriefSection(_message.Message):
    __slots__ = ("section_key", "text", "items", "confidence", "edited")
    SECTION_KEY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    EDITED_FIELD_NUMBER: _ClassVar[int]
    section_key: str
    text: str
    items: _containers.RepeatedScalarFieldContainer[str]
    confidence: Confidence
    edited: bool
    def __init__(self, section_key: _Optional[str] = ..., text: _Optional[str] = ..., items: _Optional[_Iterable[str]] = ..., confidence: _Optional[_Union[Confidence, str]] = ..., edited: _Optional[bool] = ...) -> None: ...

class Brief(_message.Message):
    __slots__ = ("brief_id", "sections", "create_time")
    BRIEF_ID_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    brief_id: str
    sections: _containers.RepeatedCompositeFieldContainer[BriefSection]
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, brief_id: _Optional[str] = ..., sections: _Optional[_Iterable[_Union[BriefSection, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("artifact_key", "title", "markdown")
    ARTIFACT_KEY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MARKDOWN_FIELD_NUMBER: _ClassVar[int]
    artifact_key: str
    title: str
    markdown: str
    def __init__(self, artifact_key: _Optional[str] = ..., title: _Optional[str] = ..., markdown: _Optional[str] = ...) -> None: ...

class ExecutionOption(_message.Message):
    __slots__ = ("option_id", "name", "is_recommended", "time_to_ship", "engineering_cost", "risk_level", "scope_coverage", "pros", "cons", "technical_approach", "tradeoffs", "engineering_impact", "cost_note")
    class RiskLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RISK_LEVEL_UNSPECIFIED: _ClassVar[ExecutionOption.RiskLevel]
        RISK_LEVEL_LOW: _ClassVar[ExecutionOption.RiskLevel]
        RISK_LEVEL_MEDIUM: _ClassVar[ExecutionOption.RiskLevel]
        RISK_LEVEL_HIGH: _ClassVar[ExecutionOption.RiskLevel]
    RISK_LEVEL_UNSPECIFIED: ExecutionOption.RiskLevel
    RISK_LEVEL_LOW: ExecutionOption.RiskLevel
    RISK_LEVEL_MEDIUM: ExecutionOption.RiskLevel
    RISK_LEVEL_HIGH: ExecutionOption.RiskLevel
    OPTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_RECOMMENDED_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_SHIP_FIELD_NUMBER: _ClassVar[int]
    ENGINEERING_COST_FIELD_NUMBER: _ClassVar[int]
    RISK_LEVEL_FIELD_NUMBER: _ClassVar[int]
    SCOPE_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    PROS_FIELD_NUMBER: _ClassVar[int]
    CONS_FIELD_NUMBER: _ClassVar[int]
    TECHNICAL_APPROACH_FIELD_NUMBER: _ClassVar[int]
    TRADEOFFS_FIELD_NUMBER: _ClassVar[int]
    ENGINEERING_IMPACT_FIELD_NUMBER: _ClassVar[int]
    COST_NOTE_FIELD_NUMBER: _ClassVar[int]
    option_id: str
    name: str
    is_recommended: bool
    time_to_ship: str
    engineering_cost: str
    risk_level: ExecutionOption.RiskLevel
    scope_coverage: int
    pros: _containers.RepeatedScalarFieldContainer[str]
    cons: _containers.RepeatedScalarFieldContainer[str]
    technical_approach: str
    tradeoffs: _containers.RepeatedScalarFieldContainer[str]
    engineering_impact: str
    cost_note: str
    def __init__(self, option_id: _Optional[str] = ..., name: _Optional[str] = ..., is_recommended: _Optional[bool] = ..., time_to_ship: _Optional[str] = ..., engineering_cost: _Optional[str] = ..., risk_level: _Optional[_Union[ExecutionOption.RiskLevel, str]] = ..., scope_coverage: _Optional[int] = ..., pros: _Optional[_Iterable[str]] = ..., cons: _Optional[_Iterable[str]] = ..., technical_approach: _Optional[str] = ..., tradeoffs: _Optional[_Iterable[str]] = ..., engineering_impact: _Optional[str] = ..., cost_note: _Optional[str] = ...) -> None: ...

class Interview(_message.Message):
    __slots__ = ("idea", "questions", "answers", "briefs", "artifacts", "options", "chosen_option_id")
    IDEA_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    BRIEFS_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_OPTION_ID_FIELD_NUMBER: _ClassVar[int]
    idea: str
    questions: _containers.RepeatedCompositeFieldContainer[Question]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    briefs: _containers.RepeatedCompositeFieldContainer[Brief]
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    options: _containers.RepeatedCompositeFieldContainer[ExecutionOption]
    chosen_option_id: str
    def __init__(self, idea: _Optional[str] = ..., questions: _Optional[_Iterable[_Union[Question, _Mapping]]] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ..., briefs: _Optional[_Iterable[_Union[Brief, _Mapping]]] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., options: _Optional[_Iterable[_Union[ExecutionOption, _Mapping]]] = ..., chosen_option_id: _Optional[str] = ...) -> None: ...

class GetInterviewRequest(_message.Message):
    __slots__ = ("project_id",)
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    def __init__(self, project_id: _Optional[str] = ...) -> None: ...

class GetInterviewResponse(_message.Message):
    __slots__ = ("interview",)
    INTERVIEW_FIELD_NUMBER: _ClassVar[int]
    interview: Interview
    def __init__(self, interview: _Optional[_Union[Interview, _Mapping]] = ...) -> None: ...

class SaveAnswersRequest(_message.Message):
    __slots__ = ("project_id", "answers")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, project_id: _Optional[str] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class SaveAnswersResponse(_message.Message):
    __slots__ = ("interview",)
    INTERVIEW_FIELD_NUMBER: _ClassVar[int]
    interview: Interview
    def __init__(self, interview: _Optional[_Union[Interview, _Mapping]] = ...) -> None: ...

class EditBriefRequest(_message.Message):
    __slots__ = ("project_id", "brief_id", "sections")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    BRIEF_ID_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    brief_id: str
    sections: _containers.RepeatedCompositeFieldContainer[BriefSection]
    def __init__(self, project_id: _Optional[str] = ..., brief_id: _Optional[str] = ..., sections: _Optional[_Iterable[_Union[BriefSection, _Mapping]]] = ...) -> None: ...

class EditBriefResponse(_message.Message):
    __slots__ = ("brief",)
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    brief: Brief
    def __init__(self, brief: _Optional[_Union[Brief, _Mapping]] = ...) -> None: ...

class ChooseExecutionOptionRequest(_message.Message):
    __slots__ = ("project_id", "option_id")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    OPTION_ID_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    option_id: str
    def __init__(self, project_id: _Optional[str] = ..., option_id: _Optional[str] = ...) -> None: ...

class ChooseExecutionOptionResponse(_message.Message):
    __slots__ = ("interview",)
    INTERVIEW_FIELD_NUMBER: _ClassVar[int]
    interview: Interview
    def __init__(self, interview: _Optional[_Union[Interview, _Mapping]] = ...) -> None: ...

class QuestionList(_message.Message):
    __slots__ = ("questions",)
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    questions: _containers.RepeatedCompositeFieldContainer[Question]
    def __init__(self, questions: _Optional[_Iterable[_Union[Question, _Mapping]]] = ...) -> None: ...

class ArtifactList(_message.Message):
    __slots__ = ("artifacts",)
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    def __init__(self, artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ...) -> None: ...

class ExecutionOptionList(_message.Message):
    __slots__ = ("options", "recommended_option_id")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_OPTION_ID_FIELD_NUMBER: _ClassVar[int]
    options: _containers.RepeatedCompositeFieldContainer[ExecutionOption]
    recommended_option_id: str
    def __init__(self, options: _Optional[_Iterable[_Union[ExecutionOption, _Mapping]]] = ..., recommended_option_id: _Optional[str] = ...) -> None: ...

class GenerateQuestionsRequest(_message.Message):
    __slots__ = ("project_id", "keywords", "domain")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    KEYWORDS_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    keywords: _containers.RepeatedScalarFieldContainer[str]
    domain: str
    def __init__(self, project_id: _Optional[str] = ..., keywords: _Optional[_Iterable[str]] = ..., domain: _Optional[str] = ...) -> None: ...

class GenerateQuestionsResponse(_message.Message):
    __slots__ = ("text_delta", "questions")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    questions: QuestionList
    def __init__(self, text_delta: _Optional[str] = ..., questions: _Optional[_Union[QuestionList, _Mapping]] = ...) -> None: ...

class GenerateBriefRequest(_message.Message):
    __slots__ = ("project_id", "answers")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, project_id: _Optional[str] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class GenerateBriefResponse(_message.Message):
    __slots__ = ("text_delta", "brief")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    brief: Brief
    def __init__(self, text_delta: _Optional[str] = ..., brief: _Optional[_Union[Brief, _Mapping]] = ...) -> None: ...

class GenerateArtifactsRequest(_message.Message):
    __slots__ = ("project_id", "brief_id")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    BRIEF_ID_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    brief_id: str
    def __init__(self, project_id: _Optional[str] = ..., brief_id: _Optional[str] = ...) -> None: ...

class GenerateArtifactsResponse(_message.Message):
    __slots__ = ("text_delta", "artifacts")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    artifacts: ArtifactList
    def __init__(self, text_delta: _Optional[str] = ..., artifacts: _Optional[_Union[ArtifactList, _Mapping]] = ...) -> None: ...

class GenerateUnderstandingQuestionsRequest(_message.Message):
    __slots__ = ("project_id", "idea", "onboarding_answers")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    IDEA_FIELD_NUMBER: _ClassVar[int]
    ONBOARDING_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    idea: str
    onboarding_answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, project_id: _Optional[str] = ..., idea: _Optional[str] = ..., onboarding_answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class GenerateUnderstandingQuestionsResponse(_message.Message):
    __slots__ = ("text_delta", "questions")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    questions: QuestionList
    def __init__(self, text_delta: _Optional[str] = ..., questions: _Optional[_Union[QuestionList, _Mapping]] = ...) -> None: ...

class GenerateIdeaBriefRequest(_message.Message):
    __slots__ = ("project_id", "idea")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    IDEA_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    idea: str
    def __init__(self, project_id: _Optional[str] = ..., idea: _Optional[str] = ...) -> None: ...

class GenerateIdeaBriefResponse(_message.Message):
    __slots__ = ("text_delta", "brief")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    brief: Brief
    def __init__(self, text_delta: _Optional[str] = ..., brief: _Optional[_Union[Brief, _Mapping]] = ...) -> None: ...

class CheckQuestionRelevanceRequest(_message.Message):
    __slots__ = ("project_id", "answered_question_ids")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_QUESTION_IDS_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    answered_question_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, project_id: _Optional[str] = ..., answered_question_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckQuestionRelevanceResponse(_message.Message):
    __slots__ = ("needs_regeneration", "preserve_indices")
    NEEDS_REGENERATION_FIELD_NUMBER: _ClassVar[int]
    PRESERVE_INDICES_FIELD_NUMBER: _ClassVar[int]
    needs_regeneration: bool
    preserve_indices: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, needs_regeneration: _Optional[bool] = ..., preserve_indices: _Optional[_Iterable[int]] = ...) -> None: ...

class AssessSectionConfidenceRequest(_message.Message):
    __slots__ = ("project_id", "section_key", "content")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    SECTION_KEY_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    section_key: str
    content: str
    def __init__(self, project_id: _Optional[str] = ..., section_key: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class AssessSectionConfidenceResponse(_message.Message):
    __slots__ = ("confidence",)
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    confidence: Confidence
    def __init__(self, confidence: _Optional[_Union[Confidence, str]] = ...) -> None: ...

class GenerateExecutionOptionsRequest(_message.Message):
    __slots__ = ("project_id", "brief_id", "feedback")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    BRIEF_ID_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    brief_id: str
    feedback: str
    def __init__(self, project_id: _Optional[str] = ..., brief_id: _Optional[str] = ..., feedback: _Optional[str] = ...) -> None: ...

class GenerateExecutionOptionsResponse(_message.Message):
    __slots__ = ("text_delta", "options")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    options: ExecutionOptionList
    def __init__(self, text_delta: _Optional[str] = ..., options: _Optional[_Union[ExecutionOptionList, _Mapping]] = ...) -> None: ...
