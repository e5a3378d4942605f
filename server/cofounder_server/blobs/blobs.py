"""Blobs by their content: one address always means the same bytes, wherever they lie."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeVar

import structlog

from cofounder_server.blobs.store import Store, StoreAway
from cofounder_server.clock import Clock

MAX_BYTES = 256 * 1024 * 1024  # of one blob
# How much goes to the store in one call, the first blob excepted, and how many.
GROUP_BYTES = 4 * 1024 * 1024
GROUP_BLOBS = 64
AWAY_SECONDS = 0.5  # between two tries while the store is away

log = structlog.get_logger(__name__)
Given = TypeVar("Given")
Kept = TypeVar("Kept")


class BlobTooLarge(ValueError):
    """The content exceeds what one blob may hold."""


class BlobMissing(LookupError):
    """There is no blob at the address."""


class BlobBroken(Exception):
    """What lies at the address is not what was put there."""


def address_of(content: bytes) -> bytes:
    """Returns the address of a content: its SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()


class Blobs:
    """Puts and gets blobs.

    While the store is away every method waits and tries again, until it is cancelled: a build outlasts that. Whoever
    cannot wait sets a deadline of its own.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, contents: Sequence[bytes]) -> list[bytes]:
        """Keeps each content and returns its address, in order. Returns once all are durable.

        Raises:
            BlobTooLarge: One of them has more than `MAX_BYTES`; then none was kept.
        """
        if any(len(content) > MAX_BYTES for content in contents):
            raise BlobTooLarge(f"a blob may have {MAX_BYTES} bytes")
        addresses = [address_of(content) for content in contents]
        for group in _groups(dict(zip(addresses, contents, strict=True))):
            await self._patiently(self._store.write, group)
        return addresses

    async def get(self, addresses: Sequence[bytes]) -> list[bytes]:
        """Returns the content at each address, in order.

        Raises:
            BlobMissing, BlobBroken: For the first that is not there, or not what it was.
        """
        found: dict[bytes, bytes] = {}
        wanted = list(dict.fromkeys(addresses))
        for start in range(0, len(wanted), GROUP_BLOBS):
            found |= await self._patiently(self._store.read, wanted[start : start + GROUP_BLOBS])
        for address in wanted:
            if address not in found:
                raise BlobMissing(f"there is no blob {address.hex()}")
            if address_of(found[address]) != address:
                raise BlobBroken(f"the blob {address.hex()} is not what was put there")
        return [found[address] for address in addresses]

    async def has(self, addresses: Collection[bytes]) -> frozenset[bytes]:
        """Returns those of the addresses at which there is a blob."""
        return await self._patiently(self._store.find, addresses) if addresses else frozenset()

    async def _patiently(self, act: Callable[[Given], Awaitable[Kept]], given: Given) -> Kept:
        while True:
            try:
                return await act(given)
            except StoreAway as fault:
                log.warning("blob store away; waiting for it", fault=str(fault))
                await self._clock.sleep(AWAY_SECONDS)


def _groups(bodies: Mapping[bytes, bytes]) -> Iterator[Mapping[bytes, bytes]]:
    group: dict[bytes, bytes] = {}
    size = 0
    for address, body in bodies.items():
        if group and (size + len(body) > GROUP_BYTES or len(group) == GROUP_BLOBS):
            yield group
            group, size = {}, 0
        group[address] = body
        size += len(body)
    if group:
        yield group
