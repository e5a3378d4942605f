"""The first program inside a sandbox: takes on the limits and the user, then becomes the program asked for.

Its text is passed to an interpreter (`python -I -S -c`), so it stands alone. Arguments: the terms as JSON (user,
folder, limits, env), then the program. The limit on processes can only be set here: outside of a user namespace of its
own it counts all processes of the user.
"""

import json
import os
import resource
import sys
from typing import Any


def enter(terms: dict[str, Any], argv: list[str]) -> None:
    """Becomes `argv` under `terms`; exits 127 if there is no such program, 126 if it cannot be run."""
    if terms["user"] is not None:
        os.setgroups([])
        os.setgid(terms["user"])
        os.setuid(terms["user"])
    os.closerange(3, 65536)  # bubblewrap leaves some of its own open
    os.chdir(terms["folder"])  # as the user: before, even root may not enter it
    os.umask(0o022)
    os.nice(10)  # the server that runs beside it comes first
    for name, value in terms["limits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # Above the processor time that is allowed there is one second more, so that the signal tells what it was.
        beyond = most + 1 if name == "RLIMIT_CPU" and most == value else most
        resource.setrlimit(kind, (most, beyond if hard == resource.RLIM_INFINITY else min(beyond, hard)))
    os.environ.clear()
    os.environ.update(terms["env"])
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - this is what the sandbox is for
    except (FileNotFoundError, NotADirectoryError):
        sys.stderr.write(f"{argv[0]}: not found\n")
        os._exit(127)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        os._exit(126)


if __name__ == "__main__":
    enter(json.loads(sys.argv[1]), sys.argv[2:])
