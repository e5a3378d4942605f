"""Runs programs in a sandbox as tests want it: to the end, with all they wrote, and with a look at what is left."""

import contextlib
import textwrap
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cofounder_server.agent import sandbox
from cofounder_server.agent.sandbox import Exit, Limits, Output

DEADLINE = 60.0  # seconds; generous, for waiting only

# Leaves a process behind that is nobody's child, in a session of its own, with the pipes open.
DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.wait()
    print("ready", flush=True)
    """


@dataclass
class Ran:
    """One finished run."""

    exit: Exit
    stdout: str
    stderr: str


async def run(box: sandbox.Sandbox, workspace: Path, *argv: str, limits: Limits | None = None) -> Ran:
    """Runs `argv` to its end, and checks that there is exactly one, last."""
    running = cast("AsyncGenerator[Output | Exit, None]", box.run(argv, workspace=workspace, limits=limits or Limits()))
    async with contextlib.aclosing(running):
        parts = [part async for part in running]
    assert isinstance(parts[-1], Exit), "the last part is the end"
    outputs = [part for part in parts[:-1] if isinstance(part, Output)]
    assert len(outputs) == len(parts) - 1, "there is one end"
    shown = {stream: "".join(o.text for o in outputs if o.stream == stream) for stream in ("stdout", "stderr")}
    return Ran(parts[-1], shown["stdout"], shown["stderr"])


async def python(box: sandbox.Sandbox, workspace: Path, code: str, *argv: str, limits: Limits | None = None) -> Ran:
    """Runs Python `code`, which may be indented, with `argv` as its arguments."""
    return await run(box, workspace, "python", "-c", textwrap.dedent(code), *argv, limits=limits)


def processes_with(mark: str) -> list[int]:
    """Returns the processes of this machine with `mark` in their command line."""
    found = []
    for name in (entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal()):
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
    return found
