"""A model's text is taken apart alike, however it is cut."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofounder_server.agent import stream
from cofounder_server.agent.stream import (
    Closed,
    Content,
    Deleted,
    FileTags,
    Narration,
    Opened,
    Piece,
    Prose,
    Unfinished,
)


def read(*parts: str) -> list[Piece]:
    """Returns what comes out, neighbouring text joined."""
    tags = FileTags()
    joined: list[Piece] = []
    for piece in [piece for part in parts for piece in tags.feed(part)] + tags.close():
        last = joined[-1] if joined else None
        if isinstance(piece, Prose) and isinstance(last, Prose):
            joined[-1] = Prose(last.text + piece.text)
        elif isinstance(piece, Content) and isinstance(last, Content):
            joined[-1] = Content(last.text + piece.text)
        else:
            joined.append(piece)
    return joined


def narrate(*parts: str) -> str:
    narration = Narration()
    return "".join([*map(narration.feed, parts), narration.close()])


ANSWER = """Hi <b>.
<file path="a/b.py">
x = "</file>"

y < 1
</file>
  <delete path="c.txt"/>
<file path="e"></file>
Bye <"""


def test_prose_files_and_deletions_come_apart() -> None:
    content = 'x = "</file>"\n\ny < 1\n'
    assert read(ANSWER) == [
        Prose("Hi <b>.\n"),
        Opened("a/b.py"),
        Content(content),
        Closed("a/b.py", content),
        Deleted("c.txt"),
        Opened("e"),
        Closed("e", ""),
        Prose("Bye <"),
    ]


def test_every_split_point_and_every_pair_of_them_gives_the_same() -> None:
    whole = read(ANSWER)
    for first in range(len(ANSWER) + 1):
        for second in range(first, len(ANSWER) + 1):
            assert read(ANSWER[:first], ANSWER[first:second], ANSWER[second:]) == whole
    assert read(*ANSWER) == whole


OPENING = ['<file path="x">', '<file path="y/z.py" >', '<delete path="x"/>']
TAGS = [*OPENING, "<", ">", "</file>", "</fi", "<file ", "<delete"]
FRAGMENTS = st.sampled_from([*TAGS, "\n", "\r\n", " ", "\t", "a", '"', "```json\n", "```", "~~~", "{}", "é"])


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAGMENTS, max_size=14), st.lists(st.integers(0, 200), max_size=6))
def test_no_text_at_all_depends_on_where_it_is_cut(fragments: list[str], cuts: list[int]) -> None:
    text = "".join(fragments)
    at = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    parts = [text[begin:end] for begin, end in itertools.pairwise(at)]
    assert read(*parts) == read(text) == read(*text)
    assert narrate(*parts) == narrate(text) == narrate(*text)


@pytest.mark.parametrize(
    ("written", "content"),
    [
        ("\na\n", "a\n"),
        ("a", "a\n"),
        ("\n\na\n\n\n", "\na\n\n"),
        ("", ""),
        ("\n", ""),
        ("\r\na\r\n", "a\r\n"),
        ('\nprint("</file>")\nend\n', 'print("</file>")\nend\n'),
        ("\na\nlast</file>\nrest", "a\nlast\n"),
    ],
)
def test_the_tags_own_line_breaks_are_not_content(written: str, content: str) -> None:
    pieces = read(f'<file path="f">{written}</file>\n')
    assert Closed("f", content) in pieces
    assert "".join(piece.text for piece in pieces if isinstance(piece, Content)) == content


def test_a_file_that_is_never_closed_is_named_and_not_closed() -> None:
    """E-1: the half is never used."""
    pieces = read('<file path="f">\nhalf')
    assert pieces[-1] == Unfinished("f")
    assert not any(isinstance(piece, Closed) for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        'see <file path="x"> inside a line',
        "<files>\n",
        '<file name="x">\n',
        '<file path="' + "x" * 1300 + '">\n',
        "<file\n",
    ],
)
def test_what_is_no_tag_stays_prose(text: str) -> None:
    assert read(text) == read(*text) == [Prose(text)]


def test_ordinary_text_is_not_held_back() -> None:
    """Token by token: what can be no tag is shown at once."""
    tags = FileTags()
    assert tags.feed("Hello") == [Prose("Hello")]
    assert tags.feed(" <file") == [Prose(" <file")]
    tags = FileTags()
    assert tags.feed('<file path="f">\nx = 1') == [Opened("f"), Content("x = 1")]
    assert tags.feed("2") == [Content("2")]


def test_what_is_held_back_is_bounded() -> None:
    tags = FileTags()
    assert tags.feed('<file path="' + "x" * 1180) == []
    assert tags.feed("x" * 30) != []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('Plan:\n```json\n{"a": 1}\n```\nDone.', "Plan:\nDone."),
        ('~~~ JSON\n{"a": "```"}\n~~~', ""),
        ("```python\nx\n```\n", "```python\nx\n```\n"),
        ("a ```json\n{}\n", "a ```json\n{}\n"),
        ('text\n```json\n{"cut', "text\n"),
        ("text\n```js", "text\n```js"),
        ("\u2028one\x0btwo\n", "\u2028one\x0btwo\n"),
    ],
)
def test_fenced_json_is_kept_from_people(text: str, shown: str) -> None:
    assert narrate(text) == narrate(*text) == shown


def test_the_longest_tag_is_bounded() -> None:
    assert stream._LONGEST_TAG < 2000
