"""A sandbox in name only, for our own scripted project where the real one cannot run (design §5.12)."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from cofounder_server.agent import sandbox_bubblewrap, sandbox_leash
from cofounder_server.agent.sandbox_seam import DEFAULT_LIMITS, Exit, Limits, Output, SandboxUnavailable

_ENTRY = Path(__file__).with_name("sandbox_entry.py")
_MARK = "COFOUNDER_WEAK_RUN"


class Weak:
    """Runs programs with limits and a clean environment, and NOTHING else: they reach the network and all our files.

    Never for what a model wrote, unless the operator has said so. At the end all processes that still carry the mark of
    the run in their environment are killed.
    """

    name = "WEAK: no isolation"

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits = DEFAULT_LIMITS,
        env: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Output | Exit, None]:
        """See Sandbox.run; the workspace keeps its path. Memory and processes of the tree count on Linux only."""
        mark = secrets.token_hex(16)
        terms = {
            "user": None,
            "folder": str(workspace),
            "limits": sandbox_bubblewrap.rlimits(limits),
            "env": {**_environment(workspace), **(env or {}), _MARK: mark},
        }
        program, *arguments = argv
        # The interpreter has no other name here: there is no folder of tools in which it could be `python`.
        program = sandbox_bubblewrap.interpreter() if program in ("python", "python3") else program
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _ENTRY.read_text(), json.dumps(terms), program, *arguments,
                stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={_MARK: mark}, cwd=workspace, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SandboxUnavailable(f"the program could not be started: {error.strerror}") from error
        tree = _Marked(process, mark)
        async with contextlib.aclosing(sandbox_leash.follow(process, tree, limits, workspace)) as parts:
            async for part in parts:
                yield part


def _environment(workspace: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sandbox_bubblewrap.interpreter()).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(workspace),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class _Marked:
    """The processes of one run: its group, and (on Linux) whatever carries its mark."""

    def __init__(self, process: Process, mark: str) -> None:
        self._process = process
        self._mark = f"{_MARK}={mark}".encode()

    def kill(self) -> None:
        # Again while there are any: one may fork between being found and being killed.
        for _ in range(10):
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            found = self.processes()
            for process in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
            if not found:
                return

    async def ended(self) -> int | None:
        # Process.wait() would also wait for the pipes, which a daemon may hold open for ever.
        while (returned := self._process.returncode) is None:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        self.kill()
        while self.processes():
            await asyncio.sleep(0.01)  # killed, but the kernel has not finished with them
            self.kill()
        return None if returned == -signal.SIGKILL else returned if returned >= 0 else 128 - returned

    def processes(self) -> list[int]:
        try:
            return [int(entry.name) for entry in Path("/proc").iterdir() if self._is_ours(entry)]
        except OSError:
            return []  # no Linux

    def _is_ours(self, process: Path) -> bool:
        try:
            return process.name.isdecimal() and self._mark in (process / "environ").read_bytes()
        except OSError:
            return False
