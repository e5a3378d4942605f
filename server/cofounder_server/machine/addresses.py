"""Where the engines of a running stack are, written down for whoever works on the same machine: its owner only."""

import json
from pathlib import Path

from cofounder_server.identity.keys import write_private

_FILE = Path("run") / "stores.json"


def write(data: Path, *, database_url: str, redis_url: str) -> None:
    """Writes down where Postgres and Redis of this data folder are. The file has mode 0600: passwords stand in it."""
    addresses = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    write_private(data / _FILE, json.dumps(addresses).encode(), replace=True)


def read(data: Path) -> dict[str, str]:
    """Returns DATABASE_URL and REDIS_URL as they were last written down; empty if no stack ever ran here."""
    try:
        addresses: dict[str, str] = json.loads((data / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return addresses
