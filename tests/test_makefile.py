"""What `make` installs, and that it takes nothing away that was installed before."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("target", "installed", "lock"),
    [
        (".run", False, "requirements.lock"),
        (".run", True, "requirements-dev.lock"),
        (".dev", False, "requirements-dev.lock"),
        (".dev", True, "requirements-dev.lock"),
    ],
)
def test_running_after_a_change_of_dependencies_takes_no_tests_package_away(tmp_path, target, installed, lock):
    """`.dev` marks an environment with what tests need; every lock has changed since."""
    venv, said = tmp_path / "venv", tmp_path / "said"
    python = venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    python.chmod(0o755)
    changed = [
        word for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml") for word in ("-W", name)
    ]
    for stamp in (".uv", *([".dev", ".run"] if installed else [])):
        (venv / stamp).touch()
    subprocess.run(["make", "-s", *changed, f"VENV={venv}", f"{venv}/{target}"], cwd=ROOT, check=True)
    (sync,) = [line.split() for line in said.read_text().splitlines() if " sync " in line]
    assert sync[-1] == lock
