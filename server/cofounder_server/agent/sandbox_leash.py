"""Holds a running program: passes its output on, watches what its tree uses, and ends the tree."""

import asyncio
import contextlib
import os
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Protocol

from cofounder_server.agent.sandbox_seam import Exit, Limits, Output, Reason, Stream
from cofounder_server.builds import text

_CHUNK = 64 * 1024  # bytes
_TICK = 0.1  # seconds between two looks at memory and processes
_TICKS_TO_DISK = 3  # how many of them pass between two looks at the disk
_PIPE_GRACE = 2.0  # seconds that a pipe may stay open and silent after its program is gone
_PROCESS_SLACK = 8  # the programs of the sandbox itself, and some that are ending

_KILLED = 128 + 9


class Tree(Protocol):
    """The processes of one run."""

    def kill(self) -> None:
        """Sends SIGKILL to all of them. Never waits, and does no harm when repeated or late."""
        ...

    async def ended(self) -> int | None:
        """Waits until the program has ended and no process is left; returns its code, None if it was killed."""
        ...

    def processes(self) -> list[int]:
        """Returns their process ids, as the host sees them."""
        ...


async def follow(process: Process, tree: Tree, limits: Limits, workspace: Path) -> AsyncGenerator[Output | Exit, None]:
    """Yields the output of `process` and then its Exit; on the way out, however it is taken, ends the tree."""
    end = _End(tree)
    timer = asyncio.get_running_loop().call_later(limits.wall_clock, end.because, "wall_clock")
    watch = asyncio.create_task(_watch(tree, limits, workspace, end))
    ended = asyncio.create_task(tree.ended())
    collected = _Collected(limits)
    try:
        async with contextlib.aclosing(_read(process, ended)) as chunks:
            async for stream, data in chunks:
                for part in collected.take(stream, data):
                    yield part
                if collected.bytes > limits.output_kill_bytes:
                    end.because("output_limit")
        code = await asyncio.shield(ended)
        if watch.done():
            watch.result()  # it ends by a fault only, and then the limits did not hold
        for part in collected.rest():
            yield part
        yield _exit(code, end.reason, collected.omitted_bytes)
    finally:
        # Kill first: from here on nothing is left to run even if this task is cancelled once more.
        tree.kill()
        timer.cancel()
        watch.cancel()
        await asyncio.wait([watch, ended])


def _exit(code: int | None, reason: Reason | None, omitted_bytes: int) -> Exit:
    # A program may end by itself in the moment in which it is killed; then the end is its own.
    if code is None:
        return Exit(_KILLED, 9, reason or "killed", omitted_bytes)
    return Exit(code, code - 128 if 128 < code <= 128 + 64 else None, "exited", omitted_bytes)


class _End:
    """Ends a tree for the first reason that is given."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.reason: Reason | None = None

    def because(self, reason: Reason) -> None:
        self.reason = self.reason or reason
        self._tree.kill()


async def _read(process: Process, ended: asyncio.Task[int | None]) -> AsyncGenerator[tuple[Stream, bytes], None]:
    """Yields what arrives on either pipe, until both have closed or nobody of the tree is left to write."""
    assert process.stdout
    assert process.stderr
    pipes: dict[Stream, asyncio.StreamReader] = {"stdout": process.stdout, "stderr": process.stderr}
    reads = {asyncio.create_task(pipe.read(_CHUNK)): stream for stream, pipe in pipes.items()}
    try:
        while reads:
            waiting = [*reads] if ended.done() else [*reads, ended]
            grace = _PIPE_GRACE if ended.done() else None
            done, _ = await asyncio.wait(waiting, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return
            for read, stream in [(read, stream) for read, stream in reads.items() if read in done]:
                del reads[read]
                if data := read.result():
                    reads[asyncio.create_task(pipes[stream].read(_CHUNK))] = stream
                    yield stream, data
    finally:
        for read in reads:
            read.cancel()


class _Collected:
    """Output as clean text: all of it up to the cap, and of what comes after only the tail."""

    def __init__(self, limits: Limits) -> None:
        self._tail_bytes = min(limits.output_tail_bytes, limits.output_bytes)
        self._room = limits.output_bytes - self._tail_bytes
        self._decoders: dict[Stream, text.Decoder] = {"stdout": text.Decoder(), "stderr": text.Decoder()}
        self._tail: list[tuple[Stream, bytes]] = []
        self._kept = 0
        self.bytes = 0
        self.omitted_bytes = 0

    def take(self, stream: Stream, data: bytes) -> Iterator[Output]:
        self.bytes += len(data)
        shown, later = data[: self._room], data[self._room :]
        self._room -= len(shown)
        if shown and (decoded := self._decoders[stream].feed(shown)):
            yield Output(stream, decoded)
        if later:
            self._tail.append((stream, later))
            self._kept += len(later)
            self._trim()

    def _trim(self) -> None:
        while (excess := self._kept - self._tail_bytes) > 0:
            stream, oldest = self._tail.pop(0)
            if len(oldest) > excess:
                self._tail.insert(0, (stream, oldest[excess:]))
            gone = min(excess, len(oldest))
            self._kept -= gone
            self.omitted_bytes += gone

    def rest(self) -> Iterator[Output]:
        """Yields the tail, and before it how much is left out."""
        if self.omitted_bytes:
            for stream, decoder in self._decoders.items():
                if left := decoder.flush():
                    yield Output(stream, left)
            yield Output("stderr", f"\n[… {self.omitted_bytes} bytes of output left out …]\n")
            self._decoders = {"stdout": text.Decoder(), "stderr": text.Decoder()}
        for stream, data in self._tail:
            if decoded := self._decoders[stream].feed(data):
                yield Output(stream, decoded)
        for stream, decoder in self._decoders.items():
            if left := decoder.flush():
                yield Output(stream, left)


async def _watch(tree: Tree, limits: Limits, workspace: Path, end: _End) -> None:
    """Ends the tree at the limits that the kernel only knows for single processes."""
    tick = 0
    while True:
        processes = tree.processes()
        if len(processes) > limits.processes + _PROCESS_SLACK:
            end.because("processes")
        if sum(map(_own_memory, processes)) > limits.memory:
            end.because("memory")
        if tick % _TICKS_TO_DISK == 0 and await asyncio.to_thread(_exceeds_disk, workspace, limits):
            end.because("disk")
        tick += 1
        await asyncio.sleep(_TICK)


def _own_memory(process: int) -> int:
    """Returns the resident bytes that the process shares with no file (nor with another, except after a fork)."""
    try:
        resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _exceeds_disk(workspace: Path, limits: Limits) -> bool:
    """True if the workspace holds more than it may, or hides how much (in unreadable or endlessly deep folders)."""
    count = size = 0
    folders = [str(workspace)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if count > limits.disk_files or size > limits.disk_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # the program removed it meanwhile
        except OSError:
            return True
    return False
