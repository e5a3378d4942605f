import datetime

from cofounder.runner.v1 import event_agent_pb2 as _event_agent_pb2
from cofounder.runner.v1 import event_control_pb2 as _event_control_pb2
from cofounder.runner.v1 import event_lifecycle_pb2 as _event_lifecycle_pb2
from cofounder.runner.v1 import event_work_pb2 as _event_work_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BuildEvent(_message.Message):
    __slots__ = ("sequence", "create_time", "attempt", "cause_sequence", "build_accepted", "attempt_started", "attempt_finished", "stage_started", "stage_finished", "build_queued", "generation_started", "text_delta", "thinking_delta", "generation_voided", "provider_delayed", "plan_proposed", "plan_step_changed", "file_opened", "file_delta", "file_written", "file_deleted", "command_started", "command_output", "command_finished", "test_reported", "commit_created", "commit_pushed", "usage_recorded", "credit_recorded", "budget_warned", "question_asked", "question_answered", "steer_received", "steer_applied", "build_paused", "build_resumed", "cancel_requested", "convergence_measured", "warning_raised", "preview_started", "preview_stopped", "build_succeeded", "build_partial", "build_failed", "build_cancelled")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BUILD_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_STARTED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FINISHED_FIELD_NUMBER: _ClassVar[int]
    STAGE_STARTED_FIELD_NUMBER: _ClassVar[int]
    STAGE_FINISHED_FIELD_NUMBER: _ClassVar[int]
    BUILD_QUEUED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_STARTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    THINKING_DELTA_FIELD_NUMBER: _ClassVar[int]
    GENERATION_VOIDED_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_DELAYED_FIELD_NUMBER: _ClassVar[int]
    PLAN_PROPOSED_FIELD_NUMBER: _ClassVar[int]
    PLAN_STEP_CHANGED_FIELD_NUMBER: _ClassVar[int]
    FILE_OPENED_FIELD_NUMBER: _ClassVar[int]
    FILE_DELTA_FIELD_NUMBER: _ClassVar[int]
    FILE_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    FILE_DELETED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_STARTED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FINISHED_FIELD_NUMBER: _ClassVar[int]
    TEST_REPORTED_FIELD_NUMBER: _ClassVar[int]
    COMMIT_CREATED_FIELD_NUMBER: _ClassVar[int]
    COMMIT_PUSHED_FIELD_NUMBER: _ClassVar[int]
    USAGE_RECORDED_FIELD_NUMBER: _ClassVar[int]
    CREDIT_RECORDED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_WARNED_FIELD_NUMBER: _ClassVar[int]
    QUESTION_ASKED_FIELD_NUMBER: _ClassVar[int]
    QUESTION_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    STEER_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    STEER_APPLIED_FIELD_NUMBER: _ClassVar[int]
    BUILD_PAUSED_FIELD_NUMBER: _ClassVar[int]
    BUILD_RESUMED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CONVERGENCE_MEASURED_FIELD_NUMBER: _ClassVar[int]
    WARNING_RAISED_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_STARTED_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_STOPPED_FIELD_NUMBER: _ClassVar[int]
    BUILD_SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    BUILD_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    BUILD_FAILED_FIELD_NUMBER: _ClassVar[int]
    BUILD_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    create_time: _timestamp_pb2.Timestamp
    attempt: int
    cause_sequence: int
    build_accepted: _event_lifecycle_pb2.BuildAccepted
    attempt_started: _event_lifecycle_pb2.AttemptStarted
    attempt_finished: _event_lifecycle_pb2.AttemptFinished
    stage_started: _event_lifecycle_pb2.StageStarted
    stage_finished: _event_lifecycle_pb2.StageFinished
    build_queued: _event_lifecycle_pb2.BuildQueued
    generation_started: _event_agent_pb2.GenerationStarted
    text_delta: _event_agent_pb2.TextDelta
    thinking_delta: _event_agent_pb2.ThinkingDelta
    generation_voided: _event_agent_pb2.GenerationVoided
    provider_delayed: _event_agent_pb2.ProviderDelayed
    plan_proposed: _event_agent_pb2.PlanProposed
    plan_step_changed: _event_agent_pb2.PlanStepChanged
    file_opened: _event_work_pb2.FileOpened
    file_delta: _event_work_pb2.FileDelta
    file_written: _event_work_pb2.FileWritten
    file_deleted: _event_work_pb2.FileDeleted
    command_started: _event_work_pb2.CommandStarted
    command_output: _event_work_pb2.CommandOutput
    command_finished: _event_work_pb2.CommandFinished
    test_reported: _event_work_pb2.TestReported
    commit_created: _event_work_pb2.CommitCreated
    commit_pushed: _event_work_pb2.CommitPushed
    usage_recorded: _event_agent_pb2.UsageRecorded
    credit_recorded: _event_agent_pb2.CreditRecorded
    budget_warned: _event_agent_pb2.BudgetWarned
    question_asked: _event_control_pb2.QuestionAsked
    question_answered: _event_control_pb2.QuestionAnswered
    steer_received: _event_control_pb2.SteerReceived
    steer_applied: _event_control_pb2.SteerApplied
    build_paused: _event_control_pb2.BuildPaused
    build_resumed: _event_control_pb2.BuildResumed
    cancel_requested: _event_control_pb2.CancelRequested
    convergence_measured: _event_control_pb2.ConvergenceMeasured
    warning_raised: _event_control_pb2.WarningRaised
    preview_started: _event_control_pb2.PreviewStarted
    preview_stopped: _event_control_pb2.PreviewStopped
    build_succeeded: _event_lifecycle_pb2.BuildSucceeded
    build_partial: _event_lifecycle_pb2.BuildPartial
    build_failed: _event_lifecycle_pb2.BuildFailed
    build_cancelled: _event_lifecycle_pb2.BuildCancelled
    def __init__(self, sequence: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[int] = ..., cause_sequence: _Optional[int] = ..., build_accepted: _Optional[_Union[_event_lifecycle_pb2.BuildAccepted, _Mapping]] = ..., attempt_started: _Optional[_Union[_event_lifecycle_pb2.AttemptStarted, _Mapping]] = ..., attempt_finished: _Optional[_Union[_event_lifecycle_pb2.AttemptFinished, _Mapping]] = ..., stage_started: _Optional[_Union[_event_lifecycle_pb2.StageStarted, _Mapping]] = ..., stage_finished: _Optional[_Union[_event_lifecycle_pb2.StageFinished, _Mapping]] = ..., build_queued: _Optional[_Union[_event_lifecycle_pb2.BuildQueued, _Mapping]] = ..., generation_started: _Optional[_Union[_event_agent_pb2.GenerationStarted, _Mapping]] = ..., text_delta: _Optional[_Union[_event_agent_pb2.TextDelta, _Mapping]] = ..., thinking_delta: _Optional[_Union[_event_agent_pb2.ThinkingDelta, _Mapping]] = ..., generation_voided: _Optional[_Union[_event_agent_pb2.GenerationVoided, _Mapping]] = ..., provider_delayed: _Optional[_Union[_event_agent_pb2.ProviderDelayed, _Mapping]] = ..., plan_proposed: _Optional[_Union[_event_agent_pb2.PlanProposed, _Mapping]] = ..., plan_step_changed: _Optional[_Union[_event_agent_pb2.PlanStepChanged, _Mapping]] = ..., file_opened: _Optional[_Union[_event_work_pb2.FileOpened, _Mapping]] = ..., file_delta: _Optional[_Union[_event_work_pb2.FileDelta, _Mapping]] = ..., file_written: _Optional[_Union[_event_work_pb2.FileWritten, _Mapping]] = ..., file_deleted: _Optional[_Union[_event_work_pb2.FileDeleted, _Mapping]] = ..., command_started: _Optional[_Union[_event_work_pb2.CommandStarted, _Mapping]] = ..., command_output: _Optional[_Union[_event_work_pb2.CommandOutput, _Mapping]] = ..., command_finished: _Optional[_Union[_event_work_pb2.CommandFinished, _Mapping]] = ..., test_reported: _Optional[_Union[_event_work_pb2.TestReported, _Mapping]] = ..., commit_created: _Optional[_Union[_event_work_pb2.CommitCreated, _Mapping]] = ..., commit_pushed: _Optional[_Union[_event_work_pb2.CommitPushed, _Mapping]] = ..., usage_recorded: _Optional[_Union[_event_agent_pb2.UsageRecorded, _Mapping]] = ..., credit_recorded: _Optional[_Union[_event_agent_pb2.CreditRecorded, _Mapping]] = ..., budget_warned: _Optional[_Union[_event_agent_pb2.BudgetWarned, _Mapping]] = ..., question_asked: _Optional[_Union[_event_control_pb2.QuestionAsked, _Mapping]] = ..., question_answered: _Optional[_Union[_event_control_pb2.QuestionAnswered, _Mapping]] = ..., steer_received: _Optional[_Union[_event_control_pb2.SteerReceived, _Mapping]] = ..., steer_applied: _Optional[_Union[_event_control_pb2.SteerApplied, _Mapping]] = ..., build_paused: _Optional[_Union[_event_control_pb2.BuildPaused, _Mapping]] = ..., build_resumed: _Optional[_Union[_event_control_pb2.BuildResumed, _Mapping]] = ..., cancel_requested: _Optional[_Union[_event_control_pb2.CancelRequested, _Mapping]] = ..., convergence_measured: _Optional[_Union[_event_control_pb2.ConvergenceMeasured, _Mapping]] = ..., warning_raised: _Optional[_Union[_event_control_pb2.WarningRaised, _Mapping]] = ..., preview_started: _Optional[_Union[_event_control_pb2.PreviewStarted, _Mapping]] = ..., preview_stopped: _Optional[_Union[_event_control_pb2.PreviewStopped, _Mapping]] = ..., build_succeeded: _Optional[_Union[_event_lifecycle_pb2.BuildSucceeded, _Mapping]] = ..., build_partial: _Optional[_Union[_event_lifecycle_pb2.BuildPartial, _Mapping]] = ..., build_failed: _Optional[_Union[_event_lifecycle_pb2.BuildFailed, _Mapping]] = ..., build_cancelled: _Optional[_Union[_event_lifecycle_pb2.BuildCancelled, _Mapping]] = ...) -> None: ...
