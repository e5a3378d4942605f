"""Workspaces and repositories as blobs: kept by the worker that has them, made again by any other.

A tree's address is its tree hash: the manifest is the very bytes that the hash is taken of.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from cofounder_server.agent.repository import Repository
from cofounder_server.agent.workspace import File, Workspace, manifest
from cofounder_server.blobs.blobs import BlobBroken, BlobMissing, Blobs, address_of

# How many files are in memory at once: no more than a whole project may have in bytes, and each group is one look at
# the folder.
GROUP_FILES = 500

Row = TypeVar("Row")


class TreeBroken(Exception):
    """A tree cannot be made again: a blob is missing or broken, or the manifest is not one of ours."""


class Trees:
    """Keeps trees, and makes them again. One call at a time for one workspace, in which nothing else runs."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def keep(self, workspace: Workspace) -> bytes:
        """Keeps the workspace's files and returns its tree hash; sends only what is not kept yet.

        The manifest comes last, so one that is there names nothing that is not.
        """
        files = await asyncio.to_thread(workspace.files)
        listed = manifest(files)
        tree = address_of(listed)
        if not await self._blobs.has([tree]):
            await self._keep_files(workspace, files)
            await self._blobs.put([listed])
        return tree

    async def rebuild(self, tree: bytes, workspace: Workspace) -> None:
        """Writes the tree into an empty workspace, and verifies it by its hash.

        Raises:
            TreeBroken: It cannot be; what was written stays.
            BadName, WorkspaceFull: It names what may not be written here.
        """
        for group in _groups(list((await self._files(tree)).items()), GROUP_FILES):
            contents = await self._contents([address for _, address in group])
            paths = [path for path, _ in group]
            await asyncio.to_thread(workspace.write_all, dict(zip(paths, contents, strict=True)))
        if await asyncio.to_thread(workspace.tree_hash) != tree.hex():
            raise TreeBroken(f"the tree {tree.hex()} is another once it is written")

    async def whole(self, tree: bytes, *others: bytes) -> bool:
        """Tells whether the tree, and blobs beside it, can be made again: all is read, and every hash is right."""
        try:
            for group in _groups([*(await self._files(tree)).values(), *others], GROUP_FILES):
                await self._contents(group)
        except TreeBroken:
            return False
        return True

    async def keep_commits(self, repository: Repository) -> bytes:
        """Keeps all commits and returns their address."""
        [address] = await self._blobs.put([await repository.bundle()])
        return address

    async def rebuild_commits(self, address: bytes, repository: Repository, *, branch: str) -> str:
        """Takes the commits into an empty repository; returns the branch's last. Raises TreeBroken."""
        [bundle] = await self._contents([address])
        return await repository.restore(bundle, branch=branch)

    async def _keep_files(self, workspace: Workspace, files: Sequence[File]) -> None:
        wanted = {bytes.fromhex(file.sha256): file.path for file in files}
        kept = await self._blobs.has(wanted)
        missing = [(address, path) for address, path in wanted.items() if address not in kept]
        for group in _groups(missing, GROUP_FILES):
            contents = await asyncio.to_thread(_read, workspace, [path for _, path in group])
            if await self._blobs.put(contents) != [address for address, _ in group]:
                raise RuntimeError("a file changed while its workspace was kept: something still runs in it")

    async def _files(self, tree: bytes) -> Mapping[str, bytes]:
        """Returns the address of each file by its path."""
        [listed] = await self._contents([tree])
        try:
            lines = [line.split("\0") for line in listed.decode().split("\n")[:-1]]
            return {path: bytes.fromhex(sha256) for path, sha256 in lines}
        except ValueError as fault:
            raise TreeBroken(f"the blob {tree.hex()} is no manifest") from fault

    async def _contents(self, addresses: Sequence[bytes]) -> list[bytes]:
        try:
            return await self._blobs.get(addresses)
        except (BlobMissing, BlobBroken) as fault:
            raise TreeBroken(str(fault)) from fault


def _read(workspace: Workspace, paths: Sequence[str]) -> list[bytes]:
    return [workspace.read(path) for path in paths]


def _groups(rows: Sequence[Row], count: int) -> Iterator[Sequence[Row]]:
    return (rows[start : start + count] for start in range(0, len(rows), count))
