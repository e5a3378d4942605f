"""Blobs as objects of an S3 bucket. Imported only where one is configured: it needs the extra `s3`."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Bucket

from cofounder_server.blobs.store import StoreAway

# Requests of one call that are under way at once.
CONCURRENCY = 16

Answer = TypeVar("Answer")


class S3Store:
    """Keeps each body as the object `<prefix>/<two digits>/<address>`. See `Store`.

    Args:
        endpoint: Another address than AWS's own; empty for AWS.
        access_key_id: Empty, with the secret, for what the environment gives: variables, a container's or a machine's
            role.
        timeout: Seconds for one request.
    """

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        endpoint: str = "",
        region: str = "",
        access_key_id: str = "",
        secret_access_key: str = "",
        timeout: float = 30.0,
    ) -> None:
        named = {
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
        }
        self._bucket = Bucket(
            bucket,
            prefix=prefix or None,
            config={name: value for name, value in named.items() if value},  # type: ignore[arg-type]
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": timedelta(seconds=timeout)},
            # Patience is `Blobs`'s: here a fault is told at once.
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=timeout)},
        )

    async def write(self, bodies: Mapping[bytes, bytes]) -> None:
        async def put(address: bytes) -> None:
            # In one request: parts of an upload that broke off would lie in the bucket, unseen and paid for.
            await obstore.put_async(self._bucket, _key(address), bodies[address], use_multipart=False)

        await _each(put, bodies)

    async def read(self, addresses: Collection[bytes]) -> Mapping[bytes, bytes]:
        async def get(address: bytes) -> bytes | None:
            try:
                found = await obstore.get_async(self._bucket, _key(address))
            except FileNotFoundError:
                return None
            return bytes(await found.bytes_async())

        found = await _each(get, addresses)
        return {address: body for address, body in found.items() if body is not None}

    async def find(self, addresses: Collection[bytes]) -> frozenset[bytes]:
        async def head(address: bytes) -> bool:
            try:
                await obstore.head_async(self._bucket, _key(address))
            except FileNotFoundError:
                return False
            return True

        return frozenset(address for address, there in (await _each(head, addresses)).items() if there)


def _key(address: bytes) -> str:
    name = address.hex()
    return f"{name[:2]}/{name}"


async def _each(ask: Callable[[bytes], Awaitable[Answer]], addresses: Collection[bytes]) -> dict[bytes, Answer]:
    """Asks for each address, some at once. With the first fault the others are cancelled; then raises StoreAway."""
    room = asyncio.Semaphore(CONCURRENCY)

    async def one(address: bytes) -> Answer:
        async with room:
            return await ask(address)

    try:
        async with asyncio.TaskGroup() as group:
            asked = {address: group.create_task(one(address)) for address in addresses}
    except ExceptionGroup as faults:
        fault = faults.exceptions[0]
        if isinstance(fault, BaseError | OSError):
            raise StoreAway(f"S3: {type(fault).__name__}") from fault
        raise fault from None
    return {address: task.result() for address, task in asked.items()}
