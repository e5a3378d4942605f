"""Children that never outlive us: spawning with a parent-death signal, and stopping with a deadline."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cofounder_server.machine.failure import MachineError

_PR_SET_PDEATHSIG = 1
_REAP_DEADLINE = 10.0


class Child:
    """A running process, the leader of its own session and process group."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; negative is the signal that ended it; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for the end and returns the exit code. Any number of callers may wait."""
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Signals the leader only, so that it can wind up its own children."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """Sends SIGKILL to the whole group. Does not wait."""
        # macOS answers EPERM for a group that holds only a zombie.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, deadline: float = 10.0) -> int:
        """Ends the process and returns its exit code. May be called any number of times, also concurrently.

        1. A process that has ended already is only reported.
        2. The leader gets `number`, the polite signal.
        3. It has `deadline` seconds to end.
        4. Then the group gets SIGKILL. It gets it also after a polite end: what the leader left behind goes too.
        5. The leader is reaped.
        """
        if self.returncode is not None:
            return self.returncode
        self.send(number)
        try:
            await asyncio.wait_for(self.wait(), deadline)
        except TimeoutError:
            pass
        finally:
            self.kill()
        return await asyncio.wait_for(self.wait(), _REAP_DEADLINE)


async def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    output: int | None = None,
    stdin: int | None = asyncio.subprocess.DEVNULL,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    become: Callable[[], None] | None = None,
    keep_open: Sequence[int] = (),
) -> Child:
    """Starts `argv` in its own session.

    `output` is a file descriptor for stdout and stderr (None: ours). `death_signal` is what the kernel sends the child
    when this process ends in whatever way (Linux; elsewhere a killed parent leaves its children to the operating
    system). `become` runs in the child before the program does and changes as whom it runs. `keep_open` are
    descriptors that the child inherits.

    Must be called from the main thread: the kernel sends the signal when the *thread* that forked ends.
    """
    if threading.current_thread() is not threading.main_thread():
        raise MachineError("A child process was about to be started from a side thread; start it from the main thread.")
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_birth(os.getpid(), death_signal, become),
            pass_fds=tuple(keep_open),
        )
    except OSError as error:
        raise MachineError(f"{argv[0]} could not be started: {error}.") from error
    return Child(process)


def _birth(parent: int, death_signal: signal.Signals, become: Callable[[], None] | None) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare() -> None:
        # A shell that starts us in the background leaves SIGINT ignored, and that would be inherited.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if become is not None:
            become()
        # Last, because a change of credentials clears it.
        if libc is not None and libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        # A parent that died before the line above will never be reported.
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def describe_exit(code: int) -> str:
    """`exit code 3`, or `SIGKILL` for -9."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        # No /proc (macOS), or it ended this very moment.
        return not Path("/proc/self").exists()
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
