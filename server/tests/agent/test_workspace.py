"""D-7 on the disk: regular files only, nothing outside of the root, nothing through a link."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cofounder_server.agent import names, workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


def test_a_file_is_written_read_listed_and_deleted(root: Path) -> None:
    space = workspace.Workspace(root)
    written = space.write("src/app.py", b"print()\n")
    assert written == workspace.File("src/app.py", 8, hashlib.sha256(b"print()\n").hexdigest())
    assert space.read("src/app.py") == b"print()\n"
    assert space.files() == [written]
    space.delete("src/app.py")
    assert space.files() == []
    assert list(root.iterdir()) == [], "the folder that held nothing else is gone too"


def test_files_are_sorted_and_writing_again_replaces(root: Path) -> None:
    space = workspace.Workspace(root)
    for path in ("b", "a/z", "a.txt", "B2"):
        space.write(path, b"1")
    space.write("b", b"22")
    assert [(file.path, file.size) for file in space.files()] == [("B2", 1), ("a.txt", 1), ("a/z", 1), ("b", 2)]


def test_the_tree_hash_tells_contents_and_names_apart(root: Path) -> None:
    space = workspace.Workspace(root)
    seen = {space.tree_hash()}
    for path, content in (("a", b"1"), ("b", b"1"), ("b", b"2")):
        space.write(path, content)
        seen.add(space.tree_hash())
    assert len(seen) == 4
    space.write("b", b"1")
    assert space.tree_hash() in seen


@pytest.mark.parametrize("path", ["../x", "/etc/x", ".git/config", "a\x00", "a\\b"])
def test_d7_every_door_checks_the_name(root: Path, path: str) -> None:
    space = workspace.Workspace(root)
    doors: list[Callable[[], object]] = [
        lambda: space.write(path, b""),
        lambda: space.read(path),
        lambda: space.delete(path),
    ]
    for door in doors:
        with pytest.raises(names.BadName):
            door()


def test_example_125_a_linked_parent_is_refused_and_nothing_is_written_outside(root: Path, outside: Path) -> None:
    space = workspace.Workspace(root)
    (root / "a").symlink_to(outside)
    (root / "deep").mkdir()
    (root / "deep" / "er").symlink_to("../a")
    for path in ("a/x", "deep/er/x", "a/b/x", "a/secret"):
        with pytest.raises(names.BadName):
            space.write(path, b"x")
        with pytest.raises((names.BadName, workspace.NoSuchFile)):
            space.read(path)
        with pytest.raises((names.BadName, workspace.NoSuchFile)):
            space.delete(path)
    assert [(entry.name, entry.read_text()) for entry in outside.iterdir()] == [("secret", "secret")]


def test_d7_a_link_at_the_end_is_never_read_and_a_write_replaces_the_link_itself(root: Path, outside: Path) -> None:
    space = workspace.Workspace(root)
    (root / "a").symlink_to(outside / "secret")
    with pytest.raises((names.BadName, workspace.NoSuchFile)):
        space.read("a")
    with pytest.raises(workspace.NoSuchFile):
        space.delete("a")
    space.write("a", b"mine")
    assert (outside / "secret").read_text() == "secret"
    assert not (root / "a").is_symlink()


def test_d7_what_the_sandbox_left_is_neither_read_nor_listed_but_named(root: Path, outside: Path) -> None:
    space = workspace.Workspace(root)
    kept = space.write("kept", b"1")
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to(outside / "secret")
    (root / "folder-link").symlink_to(outside)
    (root / "bad\nname").write_text("x")
    (root / "e\u0301").write_text("x")
    (root / "KEPT").write_text("x")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("[core]")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "x.pyc").write_text("x")
    (root / os.fsdecode(b"\xff")).write_text("x")
    (root / "empty folder").mkdir()
    files, skipped = space.scan()
    assert files == [workspace.File("KEPT", 1, hashlib.sha256(b"x").hexdigest())] != [kept], (
        "the first by sorting stays"
    )
    assert {entry.path for entry in skipped} == {
        "fifo", "link", "folder-link", "bad\nname", "e\u0301", "kept", ".git/config", "\ufffd"
    }  # fmt: skip
    assert all(entry.reason for entry in skipped)
    for path in ("fifo", "link"):
        with pytest.raises((names.BadName, workspace.NoSuchFile)):
            space.read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_d7_a_device_is_never_read(root: Path) -> None:
    os.mknod(root / "zero", 0o20666, os.makedev(1, 5))
    space = workspace.Workspace(root)
    assert space.files() == []
    with pytest.raises(workspace.NoSuchFile):
        space.read("zero")


def test_a_folder_deeper_than_any_name_is_not_walked(root: Path) -> None:
    space = workspace.Workspace(root)
    here = os.open(root, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    space.write("a", b"1")
    assert [file.path for file in space.files()] == ["a"]
    workspace.remove(root)
    assert not root.exists()


def test_d7_file_and_folder_cannot_share_a_name(root: Path) -> None:
    space = workspace.Workspace(root)
    space.write("a", b"1")
    with pytest.raises(names.BadName):
        space.write("a/b", b"1")
    (root / "empty").mkdir()
    with pytest.raises(names.BadName):
        space.write("empty", b"1")
    assert [entry.name for entry in sorted(root.iterdir())] == ["a", "empty"], "no partial file is left"


def test_d7_case_pairs_are_refused_on_the_disk_too(root: Path) -> None:
    space = workspace.Workspace(root)
    space.write("Readme", b"1")
    with pytest.raises(names.BadName):
        space.write("README", b"1")


def test_d7_bytes_and_counts_are_capped_and_replacing_counts_once(root: Path) -> None:
    space = workspace.Workspace(root, max_file_bytes=10, max_total_bytes=15, max_files=2)
    with pytest.raises(workspace.WorkspaceFull, match="11 bytes"):
        space.write("a", b"x" * 11)
    space.write("a", b"x" * 10)
    with pytest.raises(workspace.WorkspaceFull, match="15 bytes"):
        space.write("b", b"x" * 6)
    space.write("b", b"x" * 5)
    space.write("a", b"y" * 10)
    with pytest.raises(workspace.WorkspaceFull, match="2 files"):
        space.write("c", b"")
    assert space.read("a") == b"y" * 10


def test_d7_what_exceeds_a_cap_on_the_disk_is_skipped_with_the_reason(root: Path) -> None:
    space = workspace.Workspace(root, max_file_bytes=10, max_total_bytes=15, max_files=3)
    for name, size in (("a", 11), ("b", 10), ("c", 10), ("d", 5), ("e", 0), ("f", 0)):
        (root / name).write_bytes(b"x" * size)
    files, skipped = space.scan()
    assert [file.path for file in files] == ["b", "d", "e"]
    assert [entry.path for entry in skipped] == ["a", "c", "f"]


def test_what_is_not_there_is_said(root: Path) -> None:
    space = workspace.Workspace(root)
    with pytest.raises(workspace.NoSuchFile):
        space.read("a/b")
    with pytest.raises(workspace.NoSuchFile):
        space.delete("a")
