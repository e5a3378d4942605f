"""The corpus of example 165, as a table: each answer is accepted with its value, or refused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofounder_server.agent import parse
from cofounder_server.agent.parse import Plan, Unusable, Verdict, find_object

ONE = {"a": 1}

ACCEPTED = [
    ('{"a": 1}', ONE),
    ('  \n{"a": 1}\n ', ONE),
    ('```json\n{"a": 1}\n```', ONE),
    ('```JSON\n{"a": 1}\n```', ONE),
    ('```\n{"a": 1}\n```', ONE),
    ('~~~\n{"a": 1}\n~~~', ONE),
    ('~~~json\n{"a": 1}\n~~~', ONE),
    ('````json\n{"a": 1}\n````', ONE),
    ('  ```json\n  {"a": 1}\n  ```', ONE),
    ('Here it is:\n```json\n{"a": 1}\n```\nAnything else?', ONE),
    ('```bash\nls {\n```\n```json\n{"a": 1}\n```', ONE),
    ('```json\n{"a": 1}\n```\n```python\n{"b": 2}\n```', ONE),
    ('```json\n{"a": 1}\n```\nAgain:\n```json\n{"a":1}\n```', ONE),
    ('```json\n{"a": 1}', ONE),
    ('Sure, {"a": 1} is it.', ONE),
    ('Sure: {"a": 1}', ONE),
    ('[note] {"a": 1}', ONE),
    ('Use {name} here. {"a": 1}', ONE),
    ('\ufeff{"a": 1}', ONE),
    ('\ufeff```json\r\n{"a": 1}\r\n```\r\n', ONE),
    ('{\r\n"a":\r\n1}', ONE),
    ('{"a": 1,}', ONE),
    ('{"a": [1, 2,\n],\n}', {"a": [1, 2]}),
    ('{"a": ",]", "b": [",}",]}', {"a": ",]", "b": [",}"]}),
    ('```json\n{"a": "```\\n{x}\\n```"}\n```', {"a": "```\n{x}\n```"}),
    ('{"a": "{\\"b\\": [}"}', {"a": '{"b": [}'}),
    ('{"a": "\\ud800"}', {"a": "\ufffd"}),
    ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
    ('{"a": "\\u0000"}', {"a": "\ufffd"}),
    ('{"a": "“x”"}', {"a": "“x”"}),
    ("{}", {}),
]

REFUSED = [
    "",
    "   \n",
    "null",
    "1",
    '"a"',
    "no JSON at all",
    "[]",
    '[{"a": 1}]',
    '```json\n[{"a": 1}]\n```',
    "```json\nnull\n```",
    '{"a": 1',
    '{"a": "b',
    '{"a": [1, 2',
    '{"a": {"b": 1}',
    '```json\n{"a": {"b": 1}\n```',
    '```json\n{"a": 1, "b": {"c": 2}, "d',
    '{"title": "x", "steps": [{"description": "y"}, {"descr',
    '{"a": 1}}',
    '{"a": 1}]',
    '{{"a": 1}',
    '{"a": 1} {"a": 2}',
    '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
    '"outer": {"a": 1}',
    "{'a': 1}",
    "{'a': {\"b\": 1}}",
    "{“a”: 1}",
    "{a: 1}",
    '{"a": 1 // one\n}',
    '{"a": /* one */ 1}',
    '{"a": 01}',
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": -Infinity}',
    '{"a": 1, "a": 2}',
    '{"a": [,]}',
    '{"a": [1,,]}',
    "{,}",
    '{"a" 1}',
    '{"a": "\x00"}',
    '{"a": "line\nbreak"}',
    '{"a": "\\x"}',
    '{"a": True}',
    '{"a": ' + "9" * 5000 + "}",
    '{"a":' * 1000 + "1" + "}" * 1000,
    '{"a":' + "[" * 1000 + "]" * 1000 + "}",
    '{"a": "' + "x" * 5_000_000 + '"}',
    "{" * 500_000,
    "```x\n" * 100_000,
    '{"a": [' + ",]" * 100_000,
]


@pytest.mark.parametrize(("answer", "value"), ACCEPTED)
def test_what_is_whole_is_read(answer: str, value: object) -> None:
    """E-7: strict, then fences, prose and trailing commas."""
    assert find_object(answer) == value


@pytest.mark.parametrize("answer", REFUSED, ids=lambda answer: answer[:30])
def test_what_is_not_one_whole_object_is_refused(answer: str) -> None:
    """E-7: never closes truncated structures."""
    with pytest.raises(Unusable):
        find_object(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.booleans())
def test_valid_json_is_read_as_the_standard_library_reads_it(value: dict[str, object], ascii_only: bool) -> None:
    """Example 165, differential: identical value, plain, fenced, and with prose around."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    expected = parse._clean(json.loads(text))
    assert find_object(text) == expected
    assert find_object(f"```json\n{text}\n```") == expected


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, min_size=1, max_size=4), st.integers(1, 10_000))
def test_no_beginning_of_a_document_is_a_document(value: dict[str, object], cut: int) -> None:
    """E-7: whatever is cut off is refused."""
    text = json.dumps(value)
    with pytest.raises(Unusable):
        find_object(text[: cut % len(text)])


def test_a_plan_is_checked_against_its_schema_and_caps() -> None:
    plan = parse.parse('{"title": " T ", "steps": [{"description": "d", "files": ["a.py"]}], "more": 1}', Plan)
    assert (plan.title, plan.steps[0].files) == ("T", ["a.py"])
    for wrong in (
        '{"title": "", "steps": [{"description": "d"}]}',
        '{"title": "T", "steps": []}',
        '{"title": "T", "steps": [{"description": "d", "files": "a.py"}]}',
        json.dumps({"title": "T", "steps": [{"description": "d"}] * 21}),
        json.dumps({"title": "T" * 121, "steps": [{"description": "d"}]}),
    ):
        with pytest.raises(Unusable, match="does not fit"):
            parse.parse(wrong, Plan)


def test_a_verdict_is_a_boolean_and_not_a_word() -> None:
    assert parse.parse('{"complete": true}', Verdict).complete
    with pytest.raises(Unusable, match="complete"):
        parse.parse('{"complete": "true"}', Verdict)
