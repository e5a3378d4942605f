"""Fails if the contract breaks what the last release promised: `buf breaking` against the newest tag `v*`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def last_release() -> str | None:
    """Returns the newest release's tag, or None before the first release or outside a clone."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def main() -> int:
    release = last_release()
    if release is None:
        print("contract: nothing released yet, so nothing can break")
        return 0
    buf = Path(sys.executable).parent / "buf"
    return subprocess.run([buf, "breaking", "--against", f".git#tag={release}"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
