"""Text made valid once, at the source (C-10), and cut to size without breaking a character (C-9)."""

import codecs
import re
from collections.abc import Iterator

REPLACEMENT = "\ufffd"

_INVALID = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """Returns `text` with NUL and lone surrogates as U+FFFD; Postgres, protobuf and JSON can store the result.

    A high and a low surrogate side by side are the character they spell.
    """
    if text.isascii():
        return text.replace("\x00", REPLACEMENT)
    return _INVALID.sub(_valid, text)


def _valid(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) == 1:
        return REPLACEMENT
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


class Decoder:
    """Bytes that arrive in arbitrary pieces, as clean text.

    The joined text does not depend on where the pieces were cut. At most three bytes are held back, the beginning of
    a character whose end has not arrived.
    """

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """Returns the text that `data` completes."""
        return self._utf8.decode(data).replace("\x00", REPLACEMENT)

    def flush(self) -> str:
        """Returns what is left at the end: U+FFFD for a character that was never completed, or nothing."""
        return self._utf8.decode(b"", final=True)


def cut(text: str, max_bytes: int) -> Iterator[str]:
    """Yields `text` in pieces of at most `max_bytes` of UTF-8, each whole characters; nothing for the empty text.

    Raises ValueError if `max_bytes` is below 4, the size of the longest character.
    """
    if max_bytes < 4:
        raise ValueError(f"max_bytes is {max_bytes}; the longest character takes 4 bytes, so ask for 4 or more")
    return _pieces(text.encode(), max_bytes)


def _pieces(data: bytes, max_bytes: int) -> Iterator[str]:
    start = 0
    while start < len(data):
        end = min(start + max_bytes, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode()
        start = end
