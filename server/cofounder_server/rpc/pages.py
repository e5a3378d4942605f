"""Page tokens: opaque to callers, and of no use for another list, another filter or another caller."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message

from cofounder_server.rpc.requests import Check

DIGEST_BYTES = 8
LONGEST_TOKEN = 1024

Row = TypeVar("Row")


class Pages:
    """The page tokens of one list as one caller sees it.

    Args:
        parts: What the list is of: its name, its filter, its caller. Tokens fit only where all are the same.
    """

    def __init__(self, *parts: object) -> None:
        self._purpose = "\0".join(map(str, parts)).encode()

    def token(self, key: bytes) -> str:
        """Returns the token of the page that begins behind `key`."""
        return base64.urlsafe_b64encode(self._digest(key) + key).decode().rstrip("=")

    def key(self, check: Check, token: str) -> bytes | None:
        """Returns the key in a token, None for the first page; notes a violation of `page_token` for any other."""
        if not token:
            return None
        padded = token + "=" * (-len(token) % 4)
        try:
            whole = base64.b64decode(padded, altchars=b"-_", validate=True) if len(token) <= LONGEST_TOKEN else b""
        except (binascii.Error, ValueError):
            whole = b""
        key = whole[DIGEST_BYTES:]
        # Made again rather than compared in part: two texts that decode alike are not both tokens.
        if not whole or self.token(key) != token:
            check.fault("page_token", "is not a next_page_token of this list")
            return None
        return key

    def _digest(self, key: bytes) -> bytes:
        # Tells mistakes from tokens. It protects nothing: what a page shows is decided by the caller's role.
        return hashlib.blake2s(self._purpose + b"\0" + key, digest_size=DIGEST_BYTES).digest()

    def id(self, check: Check, token: str) -> UUID | None:
        """As `key`, where the key is an id."""
        key = self.key(check, token)
        return UUID(bytes=key) if key is not None and len(key) == 16 else None

    def number(self, check: Check, token: str) -> int | None:
        """As `key`, where the key is a number."""
        key = self.key(check, token)
        return int.from_bytes(key) if key is not None else None


def cut(rows: Sequence[Row], size: int) -> tuple[Sequence[Row], Row | None]:
    """Returns the page out of up to `size + 1` rows, and its last row if another page follows."""
    return rows[:size], rows[size - 1] if len(rows) > size else None


def fitting(messages: Sequence[Message], most_bytes: int) -> int:
    """Returns how many of `messages`, one at least, have `most_bytes` together."""
    sizes = accumulate(message.ByteSize() for message in messages)
    return max(1, sum(size <= most_bytes for size in sizes))
