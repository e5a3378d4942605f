"""A workspace and its commits, kept by one worker, are made again by another (D-7, D-8)."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from cofounder_server.agent import names
from cofounder_server.agent.repository import Repository, RepositoryError
from cofounder_server.agent.trees import TreeBroken, Trees
from cofounder_server.agent.workspace import Workspace
from cofounder_server.blobs.blobs import BlobMissing, Blobs, address_of
from cofounder_server.clock import WallClock
from cofounder_server.testing.agents import MemoryStore

pytestmark = pytest.mark.integration

FILES = {"app.py": b"x = 1\n", "tests/__init__.py": b"", "tests/test_é.py": b"\0\xff", "copy.py": b"x = 1\n"}


class Counting(MemoryStore):
    """A store that notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    async def write(self, bodies) -> None:
        self.written += bodies.values()
        await super().write(bodies)


@pytest.fixture
def store() -> Counting:
    return Counting()


@pytest.fixture
def trees(store: Counting) -> Trees:
    return Trees(Blobs(store, WallClock()))


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return empty(tmp_path / "first")


def empty(root: Path) -> Workspace:
    root.mkdir()
    return Workspace(root)


async def test_the_tree_hash_is_the_address_of_the_manifest_and_enough_to_make_the_tree_again(trees, space, tmp_path):
    space.write_all(FILES)
    tree = await trees.keep(space)
    assert tree.hex() == space.tree_hash()
    other = empty(tmp_path / "other")
    await trees.rebuild(tree, other)
    assert {file.path: other.read(file.path) for file in other.files()} == FILES


async def test_an_empty_tree_can_be_made_again_too(trees, space, tmp_path):
    tree = await trees.keep(space)
    assert tree == hashlib.sha256(b"").digest()
    await trees.rebuild(tree, empty(tmp_path / "other"))


async def test_only_what_is_not_kept_is_sent_and_the_manifest_last(trees, store, space):
    space.write_all(FILES)
    await trees.keep(space)
    assert sorted(store.written[:-1]) == sorted(set(FILES.values()))
    assert store.written[-1].startswith(b"app.py\0")
    store.written.clear()
    await trees.keep(space)
    assert store.written == []
    space.write("app.py", b"x = 2\n")
    await trees.keep(space)
    assert [written[:6] for written in store.written] == [b"x = 2\n", b"app.py"]


@pytest.mark.parametrize("way", ["missing", "broken", "no manifest"])
async def test_a_tree_that_is_not_whole_is_known_and_refused(trees, store, space, tmp_path, way):
    space.write_all(FILES)
    tree = await trees.keep(space)
    assert await trees.whole(tree)
    victim = address_of(FILES["app.py"])
    if way == "missing":
        del store.bodies[victim]
    elif way == "broken":
        store.bodies[victim] = b"another content"
    else:
        [tree] = await Blobs(store, WallClock()).put([b"just text\n"])
    assert not await trees.whole(tree)
    with pytest.raises(TreeBroken):
        await trees.rebuild(tree, empty(tmp_path / "other"))


@pytest.mark.parametrize("path", ["../out.py", "/etc/x", ".git/config", "sub/.gitattributes", "a\\b"])
async def test_names_are_checked_anew_whoever_wrote_the_manifest(trees, store, tmp_path, path):
    """D-7: a blob is data, not a promise."""
    _, tree = await Blobs(store, WallClock()).put([b"x", f"{path}\0{hashlib.sha256(b'x').hexdigest()}\n".encode()])
    other = empty(tmp_path / "other")
    with pytest.raises(names.BadName):
        await trees.rebuild(tree, other)
    assert list(tmp_path.rglob("*")) == [other.root]


async def test_a_manifest_that_makes_another_tree_is_refused(trees, store, tmp_path):
    sha256 = hashlib.sha256(b"x").hexdigest()
    _, tree = await Blobs(store, WallClock()).put([b"x", f"b\0{sha256}\na\0{sha256}\n".encode()])
    with pytest.raises(TreeBroken, match="another"):
        await trees.rebuild(tree, empty(tmp_path / "other"))


async def test_commits_travel_and_the_next_one_stands_on_them(trees, space, tmp_path):
    first = Repository(tmp_path / "first.git")
    space.write_all(FILES)
    one = await first.commit(space, message="m1", branch="build/one", at=1)
    space.write("app.py", b"x = 2\n")
    two = await first.commit(space, message="m2", branch="build/one", at=2)
    bundle = await trees.keep_commits(first)
    other = Repository(tmp_path / "other.git")
    assert await trees.rebuild_commits(bundle, other, branch="build/one") == two.sha
    space.write("app.py", b"x = 3\n")
    third, same = [await each.commit(space, message="m3", branch="build/one", at=3) for each in (other, first)]
    assert third == same
    await other.export(tmp_path / "export")
    shown = await asyncio.create_subprocess_exec(
        "git", "-C", str(tmp_path / "export"), "log", "--format=%H %s", stdout=asyncio.subprocess.PIPE
    )
    lines = (await shown.communicate())[0].decode().splitlines()
    assert lines == [f"{third.sha} m3", f"{two.sha} m2", f"{one.sha} m1"]


async def test_what_is_no_bundle_is_refused(trees, store, tmp_path):
    [address] = await Blobs(store, WallClock()).put([b"no bundle"])
    with pytest.raises(RepositoryError):
        await trees.rebuild_commits(address, Repository(tmp_path / "r"), branch="build/one")
    with pytest.raises((TreeBroken, BlobMissing)):
        await trees.rebuild_commits(b"?" * 32, Repository(tmp_path / "r2"), branch="build/one")
