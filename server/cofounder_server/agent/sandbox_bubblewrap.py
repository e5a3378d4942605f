"""The real sandbox: namespaces of its own, through bubblewrap (D-9, design §5.12)."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cofounder_server.agent import names, sandbox_leash, sandbox_namespace, sandbox_seccomp
from cofounder_server.agent.sandbox_seam import DEFAULT_LIMITS, MIB, Exit, Limits, Output

_ENTRY = Path(__file__).with_name("sandbox_entry.py")
_TOOLS = "/tools"
_WORK = "/work"
_ENVIRONMENT = {
    "PATH": f"{_TOOLS}:/usr/local/bin:/usr/bin:/bin",
    "HOME": _WORK,
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",  # noqa: S108 - the one inside, which nobody shares
    "PYTHONDONTWRITEBYTECODE": "1",
}
_USER = sandbox_namespace.USER
_PASSWD = f"root:x:0:0:root:/:/bin/false\nbuilder:x:{_USER}:{_USER}:builder:{_WORK}:/bin/sh\n"
_GROUP = f"root:x:0:\nbuilder:x:{_USER}:\n"
_CONFINED = (
    "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--hostname", "sandbox", "--new-session", "--die-with-parent", "--cap-drop", "ALL",
)  # fmt: skip


def interpreter() -> str:
    """Returns the path of the Python that runs inside the sandbox too: the real one behind links and environments."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def rlimits(limits: Limits) -> dict[str, int]:
    """Returns the limits that hold for each process by itself, under the names of the resource module."""
    return {
        "RLIMIT_CPU": limits.cpu,
        "RLIMIT_AS": limits.address_space,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
    }


class Bubblewrap:
    """Runs programs in namespaces of their own: no network, of the host only /usr and the interpreter, read-only.

    `program` is the bubblewrap executable. With `host_id`, for root only, the sandbox's user is that unused user of the
    host, so that the limit on processes holds (the kernel exempts root), and the workspace is given to that user before
    each run. Without it, the sandbox's user is our own, which must not be root's.
    """

    name = "namespaces"

    def __init__(self, program: str, *, host_id: int | None = None) -> None:
        self._program = program
        self._host_id = host_id

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits = DEFAULT_LIMITS,
        env: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Output | Exit, None]:
        """See Sandbox.run; the workspace is /work inside."""
        if self._host_id is not None:
            await asyncio.to_thread(_give, workspace, self._host_id)
        terms = {
            "user": None if self._host_id is None else _USER,
            "folder": _WORK,
            "limits": {**rlimits(limits), "RLIMIT_NPROC": limits.processes},
            "env": {**_ENVIRONMENT, **(env or {})},
        }
        entry = [interpreter(), "-I", "-S", "-c", _ENTRY.read_text(), json.dumps(terms)]
        descriptors = sandbox_namespace.Descriptors()
        options = [*_CONFINED, *self._user(), *_filesystem(workspace, limits, descriptors)]
        if filter_program := sandbox_seccomp.program():
            options += ["--seccomp", descriptors.file(filter_program)]
        namespace = await sandbox_namespace.start(
            self._program, options, [*entry, *argv], descriptors, host_id=self._host_id
        )
        async with contextlib.aclosing(sandbox_leash.follow(namespace.process, namespace, limits, workspace)) as parts:
            async for part in parts:
                yield part

    def _user(self) -> Sequence[str]:
        if self._host_id is None:
            return "--uid", str(_USER), "--gid", str(_USER)
        # The entry program needs these to become the user, and loses them by it.
        return "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"


def _filesystem(workspace: Path, limits: Limits, descriptors: sandbox_namespace.Descriptors) -> Iterator[str]:
    python = PurePosixPath(interpreter())
    yield from ("--ro-bind", "/usr", "/usr", *_system_folders())
    bound = [PurePosixPath("/usr")]
    for folder in (PurePosixPath(sys.base_prefix), python.parent):
        if not any(folder.is_relative_to(other) for other in bound):
            yield from (*_folders_above(folder), "--ro-bind", str(folder), str(folder))
            bound.append(folder)
    yield from ("--perms", "0755", "--dir", _TOOLS)
    for tool in ("python", "python3"):
        yield from ("--symlink", str(python), f"{_TOOLS}/{tool}")
    yield from ("--perms", "0755", "--dir", "/etc")
    for name, content in (("passwd", _PASSWD), ("group", _GROUP)):
        yield from ("--perms", "0444", "--ro-bind-data", descriptors.file(content.encode()), f"/etc/{name}")
    scratch = ("--size", str(max(limits.scratch_bytes, MIB)), "--perms", "1777", "--tmpfs")
    # To these the kernel lets our own id write if it is root's, capabilities or not; core_pattern would be a way out.
    yield from ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys")
    yield from ("--ro-bind-try", "/proc/sysrq-trigger", "/proc/sysrq-trigger")
    yield from ("--dev", "/dev", *scratch, "/dev/shm", "--remount-ro", "/dev", *scratch, "/tmp")  # noqa: S108 - inside
    yield from ("--bind", str(workspace.absolute()), _WORK, "--chdir", "/", "--remount-ro", "/")


def _system_folders() -> Iterator[str]:
    """The folders beside /usr that programs look into: links on most systems, folders on some."""
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))


def _folders_above(folder: PurePosixPath) -> Iterator[str]:
    """Makes the folders above by hand: those that bubblewrap makes by itself are for root only."""
    for above in reversed(folder.parents[:-1]):
        yield from ("--perms", "0755", "--dir", str(above))


def _give(workspace: Path, owner: int) -> None:
    """Gives what the server wrote since the last run to the sandbox's user, who made whatever is deeper."""
    os.chown(workspace, owner, owner)
    for folder, folders, files, descriptor in os.fwalk(workspace, follow_symlinks=False):
        for name in folders + files:
            with contextlib.suppress(FileNotFoundError):
                if os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_uid != owner:
                    os.chown(name, owner, owner, dir_fd=descriptor, follow_symlinks=False)
        if os.path.relpath(folder, workspace).count("/") >= names.MAX_DEPTH:
            folders[:] = []
