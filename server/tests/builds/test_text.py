"""C-10 and C-9: text is valid and in pieces of the right size, and nothing of it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cofounder_server.builds import text

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\x00b", "a\ufffdb"),
        ("é\x00", "é\ufffd"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("\ud83d\ude80", "🚀"),
        ("\ud83d\ud83d\ude80\ude80", "\ufffd🚀\ufffd"),
    ],
)
def test_c10_nul_and_lone_surrogates_become_the_replacement_character(raw: str, cleaned: str) -> None:
    assert text.clean(raw) == cleaned


@given(ANY_TEXT)
def test_c10_clean_text_encodes_and_stays_as_it_is(raw: str) -> None:
    cleaned = text.clean(raw)
    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned
    assert text.clean(cleaned) == cleaned


@given(st.lists(st.binary(max_size=8)))
def test_the_text_of_bytes_does_not_depend_on_where_they_were_cut(pieces: list[bytes]) -> None:
    decoder = text.Decoder()
    decoded = "".join([*map(decoder.feed, pieces), decoder.flush()])
    assert decoded == b"".join(pieces).decode("utf-8", "replace").replace("\x00", "\ufffd")


def test_example_97_characters_split_at_every_byte_come_out_whole() -> None:
    whole = "👩\u200d💻 e\u0301 漢字"
    decoder = text.Decoder()
    assert "".join(decoder.feed(bytes([byte])) for byte in whole.encode()) == whole
    assert decoder.flush() == ""


def test_a_character_that_never_ends_is_replaced_at_the_flush() -> None:
    decoder = text.Decoder()
    assert decoder.feed("é".encode()[:1]) == ""
    assert decoder.flush() == "\ufffd"


@given(st.text(), st.integers(4, 12))
def test_c9_pieces_are_short_enough_whole_characters_and_lose_nothing(whole: str, size: int) -> None:
    pieces = list(text.cut(whole, size))
    assert "".join(pieces) == whole
    assert all(0 < len(piece.encode()) <= size for piece in pieces)
    # Greedy: a piece is only shorter than the size by less than one character.
    assert all(len(piece.encode()) > size - 4 for piece in pieces[:-1])


def test_c9_a_size_that_not_every_character_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        text.cut("x", 3)
