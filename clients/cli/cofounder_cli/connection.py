"""Where the server is and who asks: the address and the token, read when they are needed."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cofounder_cli.failure import EXIT_USAGE, CommandFailed

DEFAULT_SERVER = "127.0.0.1:50051"


@dataclass(frozen=True)
class Address:
    """A gRPC server. `tls` is true for addresses written with `https://`."""

    host: str
    port: int
    tls: bool = False

    @property
    def is_exposed(self) -> bool:
        """True if a token sent there could be read on the way."""
        if self.tls or self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https://' if self.tls else ''}{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Reads `HOST:PORT`, `[IPV6]:PORT` or `https://HOST[:PORT]`.

    Raises CommandFailed with the exit code of bad usage for anything else.
    """
    tls = text.startswith("https://")
    try:
        parts = urlsplit(text if tls else f"//{text}")
        port = parts.port or (443 if tls else None)
        plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        if parts.hostname and port and plain:
            return Address(parts.hostname, port, tls)
    except ValueError:
        pass
    raise CommandFailed(
        f"{text!r} is not an address. Write HOST:PORT, such as {DEFAULT_SERVER}, or https://HOST for one with TLS.",
        exit_code=EXIT_USAGE,
    )


def read_token(environ: Mapping[str, str] = os.environ) -> str:
    """Returns the caller's token, read anew at every call so that a renewed file is found.

    Looks at COFOUNDER_TOKEN, then the file COFOUNDER_TOKEN_FILE, then `keys/me.token` under COFOUNDER_DATA, then under
    `./.cofounder`. Raises CommandFailed, which never quotes the token, if there is none or it cannot be one.
    """
    if token := environ.get("COFOUNDER_TOKEN", "").strip():
        return _checked(token, "COFOUNDER_TOKEN")
    path = _token_file(environ)
    try:
        return _checked(path.read_text(encoding="utf-8").strip(), str(path))
    except FileNotFoundError:
        raise CommandFailed(
            f"No token: {path} does not exist, so the server cannot know who asks.\n"
            "On the machine that runs `make run`, call from its folder or set COFOUNDER_DATA to its data folder. "
            "Elsewhere put a token into COFOUNDER_TOKEN, or name a file that holds one in COFOUNDER_TOKEN_FILE."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        message = f"The token file {path} cannot be read: {reason}. Mend it, or set COFOUNDER_TOKEN."
        raise CommandFailed(message) from None


def _token_file(environ: Mapping[str, str]) -> Path:
    if named := environ.get("COFOUNDER_TOKEN_FILE"):
        return Path(named)
    return Path(environ.get("COFOUNDER_DATA") or ".cofounder") / "keys" / "me.token"


def _checked(token: str, source: str) -> str:
    # A header cannot carry anything else, and the transport's own complaint would quote the token.
    if token and token.isascii() and token.isprintable() and " " not in token:
        return token
    state = "empty" if not token else "not a token: it holds blanks or characters no token has"
    raise CommandFailed(f"{source} is {state}. Put one token there, and nothing else.")
