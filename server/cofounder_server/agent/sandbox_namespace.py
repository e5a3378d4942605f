"""Starts bubblewrap and holds its namespace: who is its first process, how the program ended, and that all are gone."""

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cofounder_server.agent.sandbox_seam import SandboxUnavailable

USER = 1000  # as whom programs run, as they see it


class Descriptors:
    """The descriptors that bubblewrap is given; our copies of them are closed by `close`."""

    def __init__(self) -> None:
        self.all: list[int] = []

    def add(self, descriptor: int) -> str:
        """Takes over the descriptor; returns its number for the command line."""
        self.all.append(descriptor)
        return str(descriptor)

    def file(self, content: bytes) -> str:
        """Returns the number of a descriptor from which `content` is read; it has no name on any disk."""
        descriptor = os.memfd_create("sandbox")
        number = self.add(descriptor)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return number

    def close(self) -> None:
        while self.all:
            os.close(self.all.pop())


async def start(
    program: str, options: Sequence[str], command: Sequence[str], descriptors: Descriptors, *, host_id: int | None
) -> "Namespace":
    """Starts `command` in a namespace made by `options`; `descriptors` are closed here, on failure too.

    With `host_id`, our root is root in the namespace (it alone can reach interpreter and workspace), and USER is
    that id outside. Raises SandboxUnavailable if bubblewrap cannot do it.
    """
    status, status_end = os.pipe()
    unblock = None
    try:
        all_options = [*options, "--json-status-fd", descriptors.add(status_end)]
        if host_id is not None:
            blocked, unblock = os.pipe()
            all_options += ["--userns-block-fd", descriptors.add(blocked)]
            all_options += ["--info-fd", descriptors.add(os.dup(status_end))]
        # Through a file: a command line is shown in /proc, inside too, and would tell where things lie on the host.
        arguments = descriptors.file(b"".join(os.fsencode(option) + b"\0" for option in all_options))
        process = await asyncio.create_subprocess_exec(
            "bwrap", "--args", arguments, "--", *command, executable=program, pass_fds=descriptors.all,
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={}, cwd="/", start_new_session=True,
        )  # fmt: skip
    except BaseException as error:
        os.close(status)
        if unblock is not None:
            os.close(unblock)
        if isinstance(error, OSError):
            raise SandboxUnavailable(f"bubblewrap could not be started: {error.strerror}") from error
        raise
    finally:
        descriptors.close()
    return await _opened(process, status, unblock, host_id)


async def _opened(process: Process, status: int, unblock: int | None, host_id: int | None) -> "Namespace":
    # Killing it first on failure matters: bubblewrap takes a closed `unblock` for permission to go on.
    namespace = Namespace(process, await _Status.open(status))
    try:
        await namespace.find_first()
        if unblock is not None and host_id is not None:
            namespace.map_users(host_id)
            os.write(unblock, b"go")
        return namespace
    except BaseException:
        namespace.close()
        raise
    finally:
        if unblock is not None:
            os.close(unblock)


class Namespace:
    """The processes of one run, all inside of one process namespace: when its first process ends, the kernel ends all.

    The first process is held by a pidfd, so that a number used again for another process is never signalled.
    """

    def __init__(self, process: Process, status: "_Status") -> None:
        self.process = process
        self._status = status
        self._first: int | None = None
        self._first_fd: int | None = None
        self._killed = False

    async def find_first(self) -> None:
        """Learns from bubblewrap which process is the first. Raises SandboxUnavailable if there is none."""
        self._first = await self._status.first()
        if self._first is None:
            _, message = await self.process.communicate()
            raise SandboxUnavailable(f"bubblewrap failed: {message.decode(errors='replace').strip()}")
        with contextlib.suppress(ProcessLookupError):
            self._first_fd = os.pidfd_open(self._first)

    def map_users(self, host_id: int) -> None:
        """Decides, while bubblewrap waits, who its users are outside: root is root, USER is `host_id`."""
        try:
            for kind in ("uid_map", "gid_map"):
                Path(f"/proc/{self._first}/{kind}").write_text(f"0 0 1\n{USER} {host_id} 1\n")
        except OSError as error:
            raise SandboxUnavailable(f"the users of the sandbox could not be mapped: {error.strerror}") from error

    def kill(self) -> None:
        self._killed = True
        if self._first_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first_fd, signal.SIGKILL)
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    def close(self) -> None:
        """Gives up a namespace in which the program has not been started."""
        self.kill()
        self._status.close()
        if self._first_fd is not None:
            os.close(self._first_fd)
            self._first_fd = None

    async def ended(self) -> int | None:
        returned = await self.process.wait()
        killed = self._killed
        self.kill()
        await self._gone()
        code = await self._status.exit_code()
        # Killed by us, bubblewrap may still have seen its first process die, and say so, or die without a word.
        if killed and code in (None, 128 + signal.SIGKILL):
            return None
        if code is None and returned >= 0:
            raise SandboxUnavailable("bubblewrap failed before it ran the program; its message is in the output")
        return code

    async def _gone(self) -> None:
        """Waits for the end of the first process: the kernel lets it end after all others have."""
        if self._first_fd is None:
            return
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._first_fd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._first_fd)
            os.close(self._first_fd)
            self._first_fd = None

    def processes(self) -> list[int]:
        found: list[int] = []
        waiting = [] if self._first is None or self._first_fd is None else [self._first]
        while waiting:
            process = waiting.pop()
            found.append(process)
            waiting += _children(process)
        return found


def _children(process: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            yield from map(int, (thread / "children").read_text().split())


class _Status:
    """What bubblewrap says of itself: JSON objects one after another, until it ends."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self._reader = reader
        self._transport = transport
        self._text = ""

    @classmethod
    async def open(cls, descriptor: int) -> "_Status":
        reader = asyncio.StreamReader()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        return cls(reader, transport)

    def close(self) -> None:
        self._transport.close()

    async def first(self) -> int | None:
        """Returns the host's number of the first process in the namespace, None if there never was one."""
        while not (found := self._objects()):
            more = await self._reader.read(4096)
            if not more:
                return None
            self._text += more.decode()
        return int(found[0]["child-pid"])

    async def exit_code(self) -> int | None:
        """Returns how the program ended, None if bubblewrap was killed before it could tell."""
        self._text += (await self._reader.read()).decode()
        self.close()
        codes = [found["exit-code"] for found in self._objects() if "exit-code" in found]
        return int(codes[-1]) if codes else None

    def _objects(self) -> list[dict[str, Any]]:
        found, rest = [], self._text.lstrip()
        with contextlib.suppress(json.JSONDecodeError):
            while rest:
                value, end = json.JSONDecoder().raw_decode(rest)
                found.append(value)
                rest = rest[end:].lstrip()
        return found
