"""D-10, example 135: nothing that steers a terminal passes the sanitizer, and the visible text stays right."""

import pytest

from cofounder_cli import terminal
from cofounder_cli.terminal import MAX_MARKS, MAX_SEQUENCE, Sanitizer, clean, clean_line

ESC = "\x1b"

CORPUS = [
    (f"a{ESC}]52;c;cHduZWQ=\x07b", "ab"),
    (f"a{ESC}]52;c;cHduZWQ={ESC}\\b", "ab"),
    (f"a{ESC}]8;;https://evil.example\x07link{ESC}]8;;\x07b", "alinkb"),
    (f"a{ESC}]0;title\x07b", "ab"),
    (f"a{ESC}[6nb", "ab"),
    (f"a{ESC}[31;1mred{ESC}[0mb", "aredb"),
    (f"a{ESC}[?1049h{ESC}[2J{ESC}[Hb", "ab"),
    (f"a{ESC}cb", "ab"),
    (f"a{ESC}(0b", "ab"),
    (f"a{ESC}#8b", "ab"),
    (f"a{ESC}%Gb", "ab"),
    (f"a{ESC}P+q544e{ESC}\\b", "ab"),
    (f"a{ESC}X sos {ESC}\\b", "ab"),
    (f"a{ESC}^pm{ESC}\\b", "ab"),
    (f"a{ESC}_apc{ESC}\\b", "ab"),
    ("a\x9b31mb", "ab"),
    ("a\x9d0;title\x9cb", "ab"),
    ("a\x90dcs\x9cb", "ab"),
    ("a\x85\x84b", "ab"),
    (f"a{ESC}]0;never ended\nb", "a\nb"),
    (f"a{ESC}[31\nb", "a\nb"),
    (f"a{ESC}{ESC}[mb", "ab"),
    (f"a{ESC}é", "aé"),
    ("safe\revil", "safeevil"),
    ("ab\b\b\x7fc", "abc"),
    ("a\x00\x07\x0b\x0c\x0e\x0fb", "ab"),
    ("a\u202eb\u202c\u2066c\u2069\u200e\u200f\u061c", "abc"),
    ("a\u2028\u2029\ufeff\U000e0041b", "ab"),
    ("tab\tand\nnewline", "tab\tand\nnewline"),
    ("ünïcödé 漢字 👩‍💻 ქართული", "ünïcödé 漢字 👩‍💻 ქართული"),
]


@pytest.mark.parametrize(("hostile", "visible"), CORPUS)
def test_a_hostile_text_shows_what_a_reader_would_see(hostile: str, visible: str) -> None:
    assert clean(hostile) == visible


@pytest.mark.parametrize(("hostile", "visible"), CORPUS)
def test_a_hostile_text_split_between_two_tokens_at_any_place_shows_the_same(hostile: str, visible: str) -> None:
    for place in range(len(hostile) + 1):
        sanitizer = Sanitizer()
        assert sanitizer.feed(hostile[:place]) + sanitizer.feed(hostile[place:]) == visible
    one_by_one = Sanitizer()
    assert "".join(map(one_by_one.feed, hostile)) == visible


def test_a_tower_of_combining_marks_is_cut_and_what_follows_it_stays() -> None:
    tower = "a" + "\u0301" * 1_000_000 + "b"
    sanitizer = Sanitizer()
    pieces = [sanitizer.feed(tower[start : start + 50_000]) for start in range(0, len(tower), 50_000)]
    assert "".join(pieces) == "a" + "\u0301" * MAX_MARKS + "b"


@pytest.mark.parametrize("opening", [f"{ESC}]0;", f"{ESC}[", "\x9b", "\x9d"])
def test_a_sequence_that_never_ends_cannot_swallow_a_build(opening: str) -> None:
    sanitizer = Sanitizer()
    assert sanitizer.feed(opening + "1" * (MAX_SEQUENCE + 10)) != ""
    assert sanitizer.feed("visible").endswith("visible")


def test_no_single_character_that_steers_a_terminal_passes() -> None:
    steering = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202e\u2066\u2069\u200f\ud800"]
    passed = [char for char in steering if char in clean(f"a{char}")]
    assert passed == ["\t", "\n"]


def test_a_line_stays_one_line() -> None:
    assert clean_line(f"two\n lines\t{ESC}[2Jhere") == "two lines here"


def test_the_guard_is_the_scanner_not_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_STRING_STARTS_AFTER_ESCAPE", "")
    assert clean(f"a{ESC}]0;title\x07b") != "ab"
