"""The seam between blobs and where they lie. What a store does is I/O alone: `Blobs` hashes, bounds and verifies."""

from collections.abc import Collection, Mapping
from typing import Protocol


class StoreAway(Exception):
    """The store cannot be reached or refuses just now. Nothing is known of the call's effect; repeating it is safe."""


class Store(Protocol):
    """Keeps bodies under addresses. Safe to use from many tasks. Every method may raise StoreAway."""

    async def write(self, bodies: Mapping[bytes, bytes]) -> None:
        """Keeps each body under its address, durably. What is kept already is left as it is."""

    async def read(self, addresses: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Returns the bodies that are kept, by address. An address without one is left out."""

    async def find(self, addresses: Collection[bytes]) -> frozenset[bytes]:
        """Returns those of the addresses that have a body."""
