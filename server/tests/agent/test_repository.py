"""D-8 and example 127: commits of exactly the project's files, by a git that nothing in the project can configure."""

import os
import subprocess
from pathlib import Path

import pytest

from cofounder_server.agent import repository, workspace

MORNING = 1_760_000_000  # seconds since 1970


@pytest.fixture
def space(tmp_path: Path) -> workspace.Workspace:
    (tmp_path / "workspace").mkdir()
    return workspace.Workspace(tmp_path / "workspace")


@pytest.fixture
def repo(tmp_path: Path) -> repository.Repository:
    return repository.Repository(tmp_path / "repository")


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def git(where: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(where), "-c", f"safe.directory={where}", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


async def test_a_commit_has_the_files_the_message_and_the_figures(
    repo: repository.Repository, space: workspace.Workspace, tmp_path: Path
) -> None:
    space.write("README.md", b"# Hi\n\nthere\n")
    space.write("src/a b.py", b"print()\n")
    space.write("日本.txt", b"x")
    space.write("data.bin", b"\0\1\2")
    made = await repo.commit(space, message="First\n\nbody", branch="cofounder/first")
    assert (made.files, made.insertions, made.deletions) == (4, 5, 0)
    space.write("README.md", b"# Hi\n\nyou\nthere\n")
    space.delete("src/a b.py")
    second = await repo.commit(space, message="Second", branch="cofounder/first")
    assert (second.files, second.insertions, second.deletions) == (3, 1, 1)
    await repo.export(tmp_path / "out")
    assert git(tmp_path / "out", "rev-parse", "HEAD", "HEAD^", "HEAD^^{tree}").split() == [
        second.sha,
        made.sha,
        made.tree,
    ]
    assert git(tmp_path / "out", "log", "-1", "--format=%B", "HEAD^").strip() == "First\n\nbody"


async def test_an_export_is_an_ordinary_clean_repository_with_its_files(
    repo: repository.Repository, space: workspace.Workspace, tmp_path: Path
) -> None:
    space.write("test_app.py", b"x = 1\n")
    await repo.commit(space, message="m", branch="build/one")
    out = tmp_path / "deep" / "out"
    await repo.export(out)
    assert (out / "test_app.py").read_bytes() == b"x = 1\n"
    assert git(out, "status", "--porcelain", "--branch").strip() == "## build/one"
    assert git(out, "remote") == ""
    assert listing(out) == [".git", "test_app.py"]
    assert str(tmp_path / "repository") not in (out / ".git" / "config").read_text()
    hooks = out / ".git" / "hooks"
    assert not hooks.exists() or list(hooks.iterdir()) == []


async def test_exporting_again_changes_nothing_and_never_overwrites_what_is_there(
    repo: repository.Repository, space: workspace.Workspace, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(repository.RepositoryError, match="no commit yet"):
        await repo.export(out)
    space.write("a", b"1")
    await repo.commit(space, message="m", branch="main")
    await repo.export(out)
    (out / "mine").write_text("mine")
    await repo.export(out)
    space.write("a", b"2")
    await repo.commit(space, message="m", branch="main")
    with pytest.raises(repository.RepositoryError, match="not empty"):
        await repo.export(out)
    assert (out / "mine").read_text() == "mine"
    assert listing(tmp_path) == ["out", "repository", "workspace"]


async def test_committing_the_same_files_again_makes_no_second_commit(
    repo: repository.Repository, space: workspace.Workspace
) -> None:
    space.write("a", b"1")
    first = await repo.commit(space, message="m", branch="main")
    assert await repo.commit(space, message="other words", branch="main") == first


async def test_with_a_date_the_commit_depends_on_its_contents_only(space: workspace.Workspace, tmp_path: Path) -> None:
    space.write("a", b"1")
    made = {
        (await repository.Repository(tmp_path / name).commit(space, message="m", branch=name, at=MORNING)).sha
        for name in ("one", "two")
    }
    assert len(made) == 1


async def test_an_empty_project_can_be_committed(repo: repository.Repository, space: workspace.Workspace) -> None:
    made = await repo.commit(space, message="", branch="main")
    assert (made.files, made.insertions, made.deletions) == (0, 0, 0)


async def test_a_branch_and_one_below_it_are_told_apart(
    repo: repository.Repository, space: workspace.Workspace
) -> None:
    space.write("a", b"1")
    await repo.commit(space, message="m", branch="a/b")
    with pytest.raises(repository.RepositoryError, match="update-ref"):
        await repo.commit(space, message="m", branch="a")


@pytest.mark.parametrize(
    "branch",
    [
        "--upload-pack=touch /tmp/p", "-rf", "a..b", "@{u}", "refs/heads/x.lock", "x.lock", "a.lock/b",
        "refs/heads/x", "", "a//b", "/a", "a/", ".a", "a/.b", "a.", "a b", "a\nb", "a\x00", "a~1", "a^", "a:b", "a?",
        "a*", "a[", "a\\b", "@", "HEAD", "head", "a/-b", "é", "a" * 201, "main\n",
    ],
)  # fmt: skip
async def test_example_127_the_branch_is_refused(
    repo: repository.Repository, space: workspace.Workspace, branch: str
) -> None:
    with pytest.raises(repository.BadRef):
        await repo.commit(space, message="m", branch=branch)


@pytest.mark.parametrize("branch", ["main", "build/0a1b2c", "cofounder/url-shortener", "v1.2_x"])
def test_plain_branches_pass(branch: str) -> None:
    assert repository.check_ref(branch) == branch


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("-F /etc/passwd", "-F /etc/passwd"),
        ("--amend", "--amend"),
        ("a\n\nSigned-off-by: root <r@x>\n# no comment\n", "a\n\nSigned-off-by: root <r@x>\n# no comment"),
        ("a\x00b\nM 100644 inline x\ndata 1\n", "ab\nM 100644 inline x\ndata 1"),
        ("lone \ud800 漢字", "lone \ufffd 漢字"),
        ("", "Build"),
    ],
)
async def test_example_127_the_message_is_literal(
    repo: repository.Repository, space: workspace.Workspace, tmp_path: Path, message: str, kept: str
) -> None:
    space.write("a", b"1")
    await repo.commit(space, message=message, branch="main")
    await repo.export(tmp_path / "out")
    assert git(tmp_path / "out", "log", "-1", "--format=%B").strip() == kept
    assert git(tmp_path / "out", "log", "-1", "--format=%an %ae %cn").strip() == (
        "Cofounder build@cofounder.invalid Cofounder"
    )
    assert git(tmp_path / "out", "ls-tree", "-r", "--name-only", "HEAD").split() == ["a"]


async def test_d8_nothing_in_the_workspace_makes_git_do_anything(
    repo: repository.Repository, space: workspace.Workspace, tmp_path: Path
) -> None:
    """What a program in the sandbox may leave: a repository with hooks and filters, attributes, links, odd names."""
    trap = tmp_path / "trapped"
    root = space.root
    git(root, "init", "--quiet")
    (root / ".git" / "config").write_text(
        f'[core]\n\tfsmonitor = touch {trap}\n\thooksPath = hooks\n[filter "x"]\n\tclean = touch {trap}\n'
    )
    (root / ".git" / "hooks").mkdir(exist_ok=True)
    (root / ".git" / "hooks" / "pre-commit").write_text(f"#!/bin/sh\ntouch {trap}\n")
    (root / ".git" / "hooks" / "pre-commit").chmod(0o755)
    (root / ".gitattributes").write_text("* filter=x diff=x\n")
    (root / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch\n')
    (root / "link").symlink_to("/etc/passwd")
    (root / "--output=x").write_text("x")
    (root / 'a"b\nM 100644 inline evil').write_text("x")
    (root / "sub").mkdir()
    (root / "sub" / ".git").write_text("gitdir: /etc")
    space.write("kept", b"1\n")
    made = await repo.commit(space, message="m", branch="main")
    await repo.export(tmp_path / "out")
    assert made.files == 1
    assert git(tmp_path / "out", "ls-tree", "-r", "HEAD").split("\t")[1:] == ["kept\n"]
    assert listing(tmp_path / "out") == [".git", "kept"]
    assert not trap.exists()


async def test_d8_neither_the_hosts_configuration_nor_its_environment_counts(
    repo: repository.Repository, space: workspace.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "host"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[user]\n\tname = Operator\n[core]\n\thooksPath = {home}/hooks\n[init]\n\ttemplateDir = {home}\n"
        f"[diff]\n\texternal = touch {home}/trapped\n[alias]\n\tcommit = !touch {home}/trapped\n"
    )
    (home / "hooks").mkdir()
    (home / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {home}/trapped\n")
    (home / "hooks" / "post-checkout").chmod(0o755)
    for name, value in (("HOME", str(home)), ("GIT_DIR", "/nowhere"), ("GIT_EXTERNAL_DIFF", "false")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Operator")
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(home))
    space.write("a", b"1")
    await repo.commit(space, message="m", branch="main")
    await repo.export(tmp_path / "out")
    assert git(tmp_path / "out", "log", "-1", "--format=%an").strip() == "Cofounder"
    assert not (home / "trapped").exists()
    assert not (tmp_path / "out" / ".git" / "hooks" / "post-checkout").exists(), "no template of the host"


async def test_a_missing_git_is_said(
    repo: repository.Repository, space: workspace.Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(repository.RepositoryError, match="git is not installed"):
        await repo.commit(space, message="m", branch="main")
