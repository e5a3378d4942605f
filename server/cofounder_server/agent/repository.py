"""The commits of a build, in a repository that the model cannot configure (D-8).

Git never sees the workspace: contents are read by Workspace and handed over through a pipe (`git fast-import`), so no
name, link, attribute, filter or hook in the project can make git do anything. Only commits are written here.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cofounder_server.agent import workspace as workspaces
from cofounder_server.builds import text

AUTHOR = "Cofounder <build@cofounder.invalid>"
MAX_REF_BYTES = 200
MAX_MESSAGE_BYTES = 64 * 1024

_DEADLINE = 120.0  # seconds for one git command
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/\-]*")
_GIT = (
    "git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null",
    "-c", "protocol.allow=never", "-c", "protocol.file.allow=always", "-c", "gc.auto=0", "-c", "init.templateDir=",
    "-c", "core.symlinks=false", "-c", "advice.detachedHead=false",
)  # fmt: skip


class BadRef(ValueError):
    """A branch name that is refused; the message says why."""


class RepositoryError(Exception):
    """Git is missing or failed; the message says what happened and what to do next."""


@dataclass(frozen=True)
class Commit:
    """A commit: its id and its tree's (hexadecimal), how many files it has, and what changed against its parent."""

    sha: str
    tree: str
    files: int
    insertions: int
    deletions: int


def check_ref(branch: str) -> str:
    """Returns `branch` if it is a plain branch name (`cofounder/url-shortener`); raises BadRef otherwise.

    Narrower than git itself: nothing that an option, a revision expression or a path could be taken for.
    """
    if not _REF.fullmatch(branch) or len(branch) > MAX_REF_BYTES:
        raise BadRef(f"a branch is 1 to {MAX_REF_BYTES} letters, digits and ._-/, and begins with a letter or digit")
    parts = branch.split("/")
    if ".." in branch or any(not part or part[0] in ".-" or part.endswith((".", ".lock")) for part in parts):
        raise BadRef("a branch has no empty part, no '..', and no part that begins with '.' or '-' or ends with .lock")
    if parts[0] == "refs" or branch.upper() in ("HEAD", "FETCH_HEAD", "ORIG_HEAD", "MERGE_HEAD"):
        raise BadRef("a branch is not named as git names its own references")
    return branch


class Repository:
    """A repository in the folder `path`, which is made on the first commit, and which the sandbox must never be given.

    One commit or export at a time.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path / "repository.git"
        self._home = path / "home"

    async def commit(
        self, workspace: workspaces.Workspace, *, message: str, branch: str, at: int | None = None
    ) -> Commit:
        """Commits all files of the workspace, and no others, on top of `branch`; returns the commit.

        If the branch has exactly these files already, its last commit is returned and none is made: doing it again
        after a crash is harmless. `at` is the date in seconds since 1970 (default: now); with it the commit's id
        depends only on files, message and parent. Raises BadRef and RepositoryError.
        """
        target = f"refs/heads/{check_ref(branch)}"
        await self._create()
        parent = await self._resolve(target)
        date = int(time.time()) if at is None else at
        count, stream = await asyncio.to_thread(_stream, workspace, message, parent, date)
        # Aside at first: only a commit that changes something becomes the branch.
        await self._run("fast-import", "--quiet", "--force", "--done", given=stream)
        made = await self._resolve(_STAGED)
        if made is None:
            raise RepositoryError("git took the files but made no commit; see whether the disk is full")
        tree = await self._tree(made)
        if parent is not None and await self._tree(parent) == tree:
            made = parent
        await self._run("update-ref", target, made)
        await self._run("symbolic-ref", "HEAD", target)
        insertions, deletions = await self._changes(made)
        return Commit(made, tree, count, insertions, deletions)

    async def export(self, to: Path) -> None:
        """Makes `to` an ordinary repository, checked out at the last commit, for a person to use.

        Does nothing if `to` is an export of that commit already. Raises RepositoryError if something else is there, or
        if there is no commit yet.
        """
        head = await self._head()
        if await asyncio.to_thread(_holds_something, to):
            if await asyncio.to_thread(_exported_head, to) == head:
                return
            raise RepositoryError(f"{to} is not empty; move it away, or export to another folder")
        partial = to.with_name(f".{to.name}-{secrets.token_hex(4)}")
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            await self._git("clone", "--quiet", "--no-local", "--no-tags", "--", str(self._folder), str(partial))
            # Without it the repository would point to a folder of ours that will go away.
            await self._git("remote", "remove", "origin", folder=partial / ".git")
            partial.replace(to)
        except OSError as error:
            raise RepositoryError(f"the repository could not be put at {to}: {error.strerror}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    async def bundle(self) -> bytes:
        """Returns all commits, in git's own form, which `restore` takes. Raises RepositoryError if there are none."""
        await self._head()
        return await self._ask("bundle", "create", "--quiet", "-", "--branches", folder=self._folder)

    async def restore(self, bundle: bytes, *, branch: str) -> str:
        """Takes over the commits of a bundle and returns the last one of `branch`, on which the next will stand.

        Raises BadRef, and RepositoryError if it is no bundle or has no such branch.
        """
        target = f"refs/heads/{check_ref(branch)}"
        await self._create()
        carried = self._home / f"{secrets.token_hex(4)}.bundle"
        try:
            await asyncio.to_thread(carried.write_bytes, bundle)
            await self._run("fetch", "--quiet", "--no-tags", "--", str(carried), "+refs/heads/*:refs/heads/*")
        finally:
            carried.unlink(missing_ok=True)
        await self._run("symbolic-ref", "HEAD", target)
        return await self._head()

    async def _create(self) -> None:
        if self._folder.is_dir():
            return
        self._home.mkdir(parents=True, exist_ok=True)
        # Renamed when whole: an init that was interrupted leaves nothing that looks like a repository.
        partial = self._folder.with_name(f"partial-{secrets.token_hex(4)}")
        await self._git("init", "--quiet", "--bare", "--", str(partial))
        partial.replace(self._folder)

    async def _head(self) -> str:
        found = (
            await self._resolve((await self._run("symbolic-ref", "HEAD")).strip()) if self._folder.is_dir() else None
        )
        if found is None:
            raise RepositoryError("there is no commit yet, so there is nothing to export; commit first")
        return found

    async def _resolve(self, reference: str) -> str | None:
        # A pattern also finds what is below it, as in a path.
        found = await self._run("for-each-ref", "--format=%(refname) %(objectname)", "--", reference)
        return dict(line.split(" ") for line in found.splitlines()).get(reference)

    async def _tree(self, commit: str) -> str:
        return (await self._run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")).splitlines()[-1]

    async def _changes(self, commit: str) -> tuple[int, int]:
        shown = await self._run(
            "diff-tree", "--root", "--no-commit-id", "--numstat", "-z", "-r", "--no-renames", "--no-ext-diff",
            "--no-textconv", "--end-of-options", commit,
        )  # fmt: skip
        # Git counts no lines in a binary file: it says "-".
        counts = [line.replace("-\t-\t", "0\t0\t", 1).split("\t") for line in shown.split("\0") if line]
        return sum(int(count[0]) for count in counts), sum(int(count[1]) for count in counts)

    async def _run(self, *arguments: str, given: bytes = b"") -> str:
        return await self._git(*arguments, given=given, folder=self._folder)

    async def _git(self, *arguments: str, given: bytes = b"", folder: Path | None = None) -> str:
        return (await self._ask(*arguments, given=given, folder=folder)).decode(errors="replace")

    async def _ask(self, *arguments: str, given: bytes = b"", folder: Path | None = None) -> bytes:
        """Runs git with nothing but our own configuration, on the repository `folder` if one is given."""
        environment = _environment(self._home)
        if folder is not None:
            environment["GIT_DIR"] = str(folder)
        try:
            process = await asyncio.create_subprocess_exec(
                *_GIT, *arguments, env=environment, cwd=self._home, stdout=PIPE, stderr=PIPE, start_new_session=True,
                # A pipe only for a command that reads it: another may end first, and writing to it then fails.
                stdin=PIPE if given else DEVNULL,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise RepositoryError("git is not installed (or not on the PATH): install it and build again") from error
        shown, complaint = await _communicate(process, arguments[0], given)
        if process.returncode != 0:
            said = complaint.decode(errors="replace").strip()[-500:]
            raise RepositoryError(f"git {arguments[0]} failed with code {process.returncode}: {said}")
        return shown


_STAGED = "refs/cofounder/staged"


async def _communicate(process: Process, what: str, given: bytes) -> tuple[bytes, bytes]:
    try:
        async with asyncio.timeout(_DEADLINE):
            return await process.communicate(given or None)
    except TimeoutError as error:
        raise RepositoryError(f"git {what} did not end within {_DEADLINE:.0f} s and was killed") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def _holds_something(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _exported_head(export: Path) -> str | None:
    """Returns the commit that an export stands at, without git: the folder is somebody's now, and so is its config."""
    try:
        reference = (export / ".git" / "HEAD").read_text().split()[-1]
        return (export / ".git" / reference).read_text().strip()
    except (OSError, IndexError):
        return None


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_EDITOR": "/bin/false",
    }


def _stream(workspace: workspaces.Workspace, message: str, parent: str | None, at: int) -> tuple[int, bytes]:
    """Returns how many files there are, and one commit of them in the language of fast-import."""
    files = workspace.files()
    body = _message(message)
    head = [
        f"commit {_STAGED}",
        f"author {AUTHOR} {at} +0000",
        f"committer {AUTHOR} {at} +0000",
        f"data {len(body)}",
    ]
    parts = [
        "\n".join(head).encode(),
        b"\n",
        body,
        b"\n",
        f"from {parent}\n".encode() if parent else b"",
        b"deleteall\n",
    ]
    return len(files), b"".join([*parts, *_contents(workspace, files), b"done\n"])


def _contents(workspace: workspaces.Workspace, files: Sequence[workspaces.File]) -> Iterator[bytes]:
    for file in files:
        content = workspace.read(file.path)
        # No quoting is needed: a checked path has no quote, backslash or line break.
        yield f"M 100644 inline {file.path}\ndata {len(content)}\n".encode()
        yield content
        yield b"\n"


def _message(message: str) -> bytes:
    cleaned = text.clean(message.replace("\x00", "")).strip() or "Build"
    return next(text.cut(cleaned, MAX_MESSAGE_BYTES)).encode() + b"\n"
