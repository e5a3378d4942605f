"""Generates the code of the contract: Python for server and gateway, betterproto2 for the CLI.

python proto/generate.py            write it
python proto/generate.py --check    exit 1, naming the files, if what is committed is not what comes out
"""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PYTHON = Path("proto/gen/cofounder")
CLI = Path("clients/cli/cofounder_cli/_gen")
PACKAGE_DOC = '"""Generated from proto/: never edited, see proto/README.md."""\n'


def protoc(*arguments: str) -> None:
    # The plugins stand beside the interpreter and need not be on the caller's PATH.
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *arguments]
    # Elsewhere: a plugin formats what it writes, and would do so by this repository's settings of the day.
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(command, check=True, cwd=elsewhere, env=environment)


def generate_python(out: Path, files: list[str]) -> None:
    services = [file for file in files if file.endswith("_service.proto")]
    protoc(f"--python_out={out}", f"--pyi_out={out}", *files)
    protoc(f"--grpc_python_out={out}", *services)
    for folder in [out / "cofounder", *(path for path in (out / "cofounder").rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text(PACKAGE_DOC)


def generate_cli(out: Path, files: list[str]) -> None:
    protoc(f"--python_betterproto2_out={out}", "--python_betterproto2_opt=client_generation=async", *files)


def generate(out: Path) -> None:
    """Writes both trees below `out`, at the places they have in the repository."""
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "cofounder").rglob("*.proto"))
    for folder in (out / PYTHON.parent, out / CLI):
        folder.mkdir(parents=True)
    generate_python(out / PYTHON.parent, files)
    generate_cli(out / CLI, files)


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.py*") if path.suffix in (".py", ".pyi")}


def drift(fresh: Path) -> list[str]:
    """Returns the generated files that are missing, superfluous or different in the repository."""
    rows = []
    for tree in (PYTHON, CLI):
        ours, theirs = ROOT / tree, fresh / tree
        _, differing, missing = filecmp.cmpfiles(ours, theirs, listing(ours) | listing(theirs), shallow=False)
        rows += [str(tree / name) for name in differing + missing]
    return sorted(rows)


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        if "--check" in sys.argv[1:]:
            rows = drift(fresh)
            print("\n".join(f"{row}: not what proto/ generates; run make proto" for row in rows))
            return 1 if rows else 0
        for tree in (PYTHON, CLI):
            shutil.rmtree(ROOT / tree, ignore_errors=True)
            shutil.copytree(fresh / tree, ROOT / tree)
    return 0


if __name__ == "__main__":
    sys.exit(main())
