"""What a sandbox is, whichever one is chosen: a program goes in, its output and one end come out."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

MIB = 1024 * 1024

Stream = Literal["stdout", "stderr"]

# exited: by itself, also by a signal of its own. killed: from outside, before it ended. The others: at that limit.
Reason = Literal["exited", "wall_clock", "output_limit", "memory", "processes", "disk", "killed"]


@dataclass(frozen=True)
class Limits:
    """What one run may use. Times in seconds, sizes in bytes.

    `memory`, `disk_bytes`, `disk_files` and `processes` hold for the whole tree of processes, the others for each.
    Beyond `output_bytes` output is left out, except for its last `output_tail_bytes`; beyond `output_kill_bytes` the
    run is ended.
    """

    wall_clock: float = 120.0
    cpu: int = 60
    memory: int = 512 * MIB
    address_space: int = 2048 * MIB
    processes: int = 64
    open_files: int = 256
    file_bytes: int = 64 * MIB
    disk_bytes: int = 256 * MIB
    disk_files: int = 20_000
    scratch_bytes: int = 64 * MIB
    output_bytes: int = MIB
    output_tail_bytes: int = 64 * 1024
    output_kill_bytes: int = 16 * MIB


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Output:
    """Clean text (C-10) that the program wrote, in the order of its arrival."""

    stream: Stream
    text: str


@dataclass(frozen=True)
class Exit:
    """The end of the program and of everything that it started.

    `code` is as a shell gives it: 128 + n after signal n, and then `signal` is n. `omitted_bytes` of output were left
    out of the middle.
    """

    code: int
    signal: int | None
    reason: Reason
    omitted_bytes: int = 0


@dataclass(frozen=True)
class Isolation:
    """What this machine can confine a program with, found by running one.

    With "namespaces", `program` is the bubblewrap to use and `host_id` the unused user of the host that stands behind
    the sandbox's user (None: our own user).
    """

    kind: Literal["namespaces", "none"]
    reason: str
    program: str | None = None
    host_id: int | None = None


class SandboxUnavailable(Exception):
    """There is no sandbox in which this program may run here; the message says why and what to change."""


class Sandbox(Protocol):
    """Runs programs that a model wrote."""

    @property
    def name(self) -> str:
        """What the page and the terminal call it."""
        ...

    def run(
        self, argv: Sequence[str], *, workspace: Path, limits: Limits = ..., env: Mapping[str, str] = ...
    ) -> AsyncIterator[Output | Exit]:
        """Runs `argv` in `workspace`; yields its output as it comes, then exactly one Exit, last.

        `python` and `python3` are the interpreter, with its standard library. `env` is added to a clean environment.
        The whole tree of processes is gone when the Exit is yielded, and also when the iterator is closed or its task
        cancelled before; close it (`contextlib.aclosing`) when leaving early. A slow reader slows the program down.
        Raises SandboxUnavailable if the program could not be started at all; a program that does not exist exits 127.
        """
        ...
