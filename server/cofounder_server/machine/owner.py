"""As whom Postgres runs: it refuses root, and nobody's folders are opened up for it."""

import ctypes
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cofounder_server.machine.failure import MachineError

_CLONE_NEWUSER = 0x10000000
_SPARE_UID = 55432
_PROBE_DEADLINE = 20.0


@dataclass(frozen=True)
class Owner:
    """A way to run a program, and who then owns its files.

    - `self`: as we are.
    - `setuid`: root becomes `uid`.
    - `namespace`: in a user namespace of its own, where it sees itself as `seen_as` while its files stay `uid`'s.
    """

    kind: Literal["self", "setuid", "namespace"]
    uid: int
    gid: int
    seen_as: int = 0

    def become(self) -> None:
        """Runs in the child between fork and exec."""
        if self.kind == "setuid":
            os.setgroups([])
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
        elif self.kind == "namespace":
            _enter_namespace(self.seen_as, self.uid, self.gid)

    def named(self) -> "Owner":
        """A like owner that has an account: initdb asks for the user's name, the server does not."""
        if self.kind == "namespace" or _has_account(self.uid):
            return self
        account = _unprivileged_account()
        if self.kind == "setuid":
            return replace(self, uid=account.pw_uid, gid=account.pw_gid)
        return Owner("namespace", self.uid, self.gid, seen_as=account.pw_uid)

    def own(self, folder: Path) -> None:
        """Gives `folder` and all below it to this owner; the folders above are left as they are."""
        if self.kind == "self":
            return
        for root, _, files in os.walk(folder):
            for path in (Path(root), *(Path(root, name) for name in files)):
                if path.lstat().st_uid != self.uid:
                    os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose(folder: Path, program: Path) -> Owner:
    """Finds as whom `program` (a binary that knows --version) can run with its files in `folder`.

    Not root: as is. Root: as an unprivileged user if that one can reach both paths, else in a user namespace.
    Raises MachineError, with what to change, if neither works here.
    """
    if os.geteuid() != 0:
        return Owner("self", os.geteuid(), os.getegid())
    setuid = _unprivileged_owner(folder)
    if _can_run(setuid, folder, program):
        return setuid
    if sys.platform == "linux":
        namespace = Owner("namespace", 0, 0, seen_as=_unprivileged_account().pw_uid)
        if _can_run(namespace, folder, program):
            return namespace
    raise MachineError(
        f"Postgres refuses to run as root. The unprivileged user {setuid.uid} cannot reach {folder} or {program}, and "
        "user namespaces, the other way, are denied on this machine. Do one of these: set COFOUNDER_DATA to a folder "
        "that others can pass through (e.g. under /var/lib) and install outside root's home; run as an ordinary user; "
        "or set DATABASE_URL to a Postgres of your own."
    )


def _unprivileged_owner(folder: Path) -> Owner:
    """Whoever owned `folder` before, so that a restart finds its files; else an id that nobody uses."""
    # An initdb that was killed leaves the folder to the account that it ran as; that is nobody's choice.
    passing = {0, _unprivileged_account().pw_uid}
    for place in (folder, folder.parent):
        if place.exists() and place.stat().st_uid not in passing:
            return Owner("setuid", place.stat().st_uid, place.stat().st_gid)
    uid = next(uid for uid in range(_SPARE_UID, 60000) if not _has_account(uid))
    return Owner("setuid", uid, uid)


def _can_run(owner: Owner, folder: Path, program: Path) -> bool:
    def prepare() -> None:
        owner.become()
        os.chdir(folder.parent)

    try:
        done = subprocess.run(
            [program, "--version"],
            preexec_fn=prepare,
            env={},
            capture_output=True,
            timeout=_PROBE_DEADLINE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _enter_namespace(inside: int, uid: int, gid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    # An unprivileged process may map its group only after giving up setgroups.
    for name, line in (("setgroups", "deny"), ("uid_map", f"{inside} {uid} 1"), ("gid_map", f"{inside} {gid} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, line.encode())
        os.close(descriptor)


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        pass
    for account in pwd.getpwall():
        if account.pw_uid != 0:
            return account
    raise MachineError(
        "This machine has no account but root, and initdb needs the name of another. Add one (e.g. nobody) to "
        "/etc/passwd, or set DATABASE_URL to a Postgres of your own."
    )
