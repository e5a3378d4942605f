"""Files and folders of one machine: private by default, short enough for sockets, bounded where they grow."""

import hashlib
import os
import re
import secrets
import stat
import tempfile
from pathlib import Path

from cofounder_server.machine.failure import MachineError

# sun_path holds 108 bytes on Linux and 104 on macOS, with the closing NUL.
_LONGEST_SOCKET = 100
# Anything else needs quoting in one of: a Postgres setting, a DSN, a Valkey setting, a URL.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_SHORT_PARENT = Path("/tmp")  # noqa: S108 - what is made in it is private, and checked to be ours
_LOG_BOUND = 5_000_000


def data_folder(path: Path) -> Path:
    """Makes the one data folder if it is absent, and returns its absolute path.

    Made by root it can be passed through (not listed) by others, so that Postgres can run as an unprivileged user
    below it; everything in it is private by itself. A folder that exists keeps its permissions.
    """
    path = path.expanduser().absolute()
    try:
        if not path.is_dir():
            path.mkdir(parents=True, mode=0o700)
            if os.geteuid() == 0:
                path.chmod(0o711)
    except OSError as error:
        raise MachineError(
            f"The data folder {path} cannot be made ({error.strerror}). Set COFOUNDER_DATA to a folder that you may "
            "write to."
        ) from error
    return path


def private_folder(path: Path) -> Path:
    """Makes `path` with mode 0700, parents too, if it is absent."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise MachineError(
            f"The folder {path} cannot be made ({error.strerror}). Set COFOUNDER_DATA to a folder that you may write "
            "to."
        ) from error
    if os.geteuid() not in {0, path.stat().st_uid}:
        raise MachineError(
            f"The folder {path} belongs to the user with id {path.stat().st_uid}, and you are {os.geteuid()}. "
            "Run as that user, or set COFOUNDER_DATA to a folder of your own."
        )
    return path


def socket_folder(preferred: Path, *, longest_name: str, owner: int) -> Path:
    """A private folder for a socket called `longest_name`: `preferred`, or a short one under /tmp.

    The short one is for paths that a socket address or a DSN cannot hold. Its name follows from `preferred`, so it is
    the same at every start; one that somebody else made first is never used.
    """
    if len(os.fsencode(preferred / longest_name)) <= _LONGEST_SOCKET and _PLAIN_PATH.fullmatch(str(preferred)):
        chosen = private_folder(preferred)
    else:
        digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:16]
        chosen = _SHORT_PARENT / f"cofounder-{os.geteuid()}-{digest}"
        chosen.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(chosen, owner):
            chosen = Path(tempfile.mkdtemp(prefix="cofounder-", dir=_SHORT_PARENT))
    if chosen.lstat().st_uid != owner:
        os.chown(chosen, owner, -1)
    return chosen


def _is_ours(path: Path, owner: int) -> bool:
    found = path.lstat()
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid in {os.geteuid(), owner}
        and stat.S_IMODE(found.st_mode) & 0o077 == 0
    )


def secret(path: Path) -> str:
    """The secret in `path` (mode 0600), generated at the first call. Never half-written."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    value = secrets.token_urlsafe(24)
    write_private(path, value + "\n")
    return value


def write_private(path: Path, text: str) -> None:
    """Replaces `path` by `text` with mode 0600, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def open_log(path: Path) -> int:
    """Opens `path` for appending and returns the descriptor; a log over 5 MB is first moved to `<path>.1`."""
    private_folder(path.parent)
    if path.exists() and path.stat().st_size > _LOG_BOUND:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_lines(path: Path, *, since: int = 0, most: int = 20) -> str:
    """The last `most` lines that `path` got after its byte `since`; empty if there are none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since, size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-most:])
