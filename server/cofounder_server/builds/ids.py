"""Ids that sort by the time they were made (UUIDv7, RFC 9562)."""

import os
from datetime import datetime
from uuid import UUID


def uuid7(time: datetime) -> UUID:
    """Returns a new id: 48 bits of milliseconds, then 74 random bits around version and variant."""
    milliseconds = int(time.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10))
    number = milliseconds << 80 | random
    number &= ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=number | 0x7 << 76 | 0x2 << 62)
