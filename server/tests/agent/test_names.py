"""D-7: which names a model may write; example 125 of the requirements, and its neighbours."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cofounder_server.agent import names

REFUSED = {
    "parent": ("../x", "leaves the project"),
    "parent inside": ("a/../../x", "leaves the project"),
    "absolute": ("/etc/x", "absolute"),
    "backslash": ("a\\..\\x", "backslash"),
    "drive": ("C:x", "drive"),
    "drive with slash": ("c:/x", "drive"),
    "NUL": ("a\x00b", "NUL"),
    "newline": ("a\nb", "U+000A"),
    "escape": ("a\x1b[31m", "U+001B"),
    "C1 control": ("a\x9bb", "U+009B"),
    "lone surrogate": ("a\ud800", "U+D800"),
    "bidi override": ("a\u202egpj.exe", "U+202E"),
    "zero width": ("a\u200bb", "U+200B"),
    "hangul filler": ("a\u3164", "U+3164"),
    "variation selector": ("a\ufe0f", "U+FE0F"),
    "quote": ('a"b', "U+0022"),
    "colon": ("file.txt:stream", "U+003A"),
    "5,000 characters": ("x" * 5_000, "5000 characters"),
    "more bytes than characters": ("/".join(["éb" * 28] * 13), "1104 bytes"),
    "256-byte component": ("x" * 256, "256 bytes"),
    "121 bytes in fewer characters": ("é" * 61, "122 bytes"),
    "too deep": ("a/" * 32 + "a", "33 components"),
    "empty": ("", "empty"),
    "empty component": ("a//b", "empty component"),
    "trailing slash": ("a/", "empty component"),
    "dot component": ("./a", "empty component"),
    "trailing dot": ("a.", "ends with"),
    "trailing space": ("a ", "ends with"),
    "trailing dot of a folder": ("a./b", "ends with"),
    "leading space": (" a", "begins with"),
    "home": ("~/.ssh/x", "home"),
    "short name": ("PROGRA~1/x", "short name"),
    "option": ("--output=x", "option"),
    "Windows device": ("nul.txt", "device"),
    "combining mark first": ("\u0301a", "combining"),
    "generated folder": ("node_modules/x.js", "generate"),
}

GIT = [
    ".git", ".git/config", ".GIT/config", ".Git/config", "sub/.git/hooks/pre-commit", ".git ", ".git.", ".git. .",
    ".git /x", "git~1", "GIT~1/config", ".g\u200cit/config", ".\u200dgit", "\ufeff.git", ".git::$INDEX_ALLOCATION",
    ".git:x", "\uff0egit", ".g\uff49t", ".gitmodules", "sub/.GitModules", ".gitmodules ", "gitmod~1",
    "gi7eba~1", ".gitattributes", "a/b/.gitattributes", ".GITATTRIBUTES.", "gitatt~1",
]  # fmt: skip

ALLOWED = [
    "README.md", "src/app.py", ".gitignore", ".github/workflows/test.yml", ".env.example", "app/[id]/(group)/page.tsx",
    "src/routes/+page.svelte", "a b/c.txt", "$lib/x.ts", "@scope/x", "git/config", "digit", "naïve.md",
    "日本語/説明.md", "x" * 120, "console.py", "a=b,c.txt", "हिन्दी.txt",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_d7_the_path_is_refused_with_the_reason(name: str) -> None:
    path, reason = REFUSED[name]
    with pytest.raises(names.BadName) as refused:
        names.check_path(path)
    assert reason in refused.value.reason


@pytest.mark.parametrize("path", GIT)
def test_d7_names_that_git_acts_on_are_refused_in_any_spelling(path: str) -> None:
    with pytest.raises(names.BadName):
        names.check_path(path)


@pytest.mark.parametrize("path", [".git", "sub/.GIT/hooks/pre-commit", ".git ", "git~1", ".g\u200cit", ".GitModules"])
def test_d7_the_reason_names_git(path: str) -> None:
    with pytest.raises(names.BadName, match="git acts on"):
        names.check_path(path)


@pytest.mark.parametrize("path", ALLOWED)
def test_ordinary_names_pass_unchanged(path: str) -> None:
    assert names.check_path(path) == unicodedata.normalize("NFC", path)


def test_d7_a_decomposed_name_is_composed() -> None:
    assert names.check_path("e\u0301.txt") == "é.txt"


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_d7_whatever_passes_is_a_plain_relative_path_and_passes_again(path: str) -> None:
    try:
        checked = names.check_path(path)
    except names.BadName:
        return
    assert names.check_path(checked) == checked == unicodedata.normalize("NFC", checked)
    assert checked.isprintable()
    assert not {"", ".", "..", ".git"} & set(checked.casefold().split("/"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Readme.md", "README.md"),
        ("é.txt", "É.txt"),
        ("straße", "STRASSE"),
        ("ﬁle", "file"),
        ("a", "a/x"),
        ("a/x", "a"),
        ("Src/a.py", "src/b.py"),
        ("A/x", "a"),
        ("a", "A/x"),
        ("x/a", "x/a/b/c"),
    ],
)
def test_d7_names_that_collide_somewhere_cannot_both_be_there(first: str, second: str) -> None:
    known = names.Names()
    known.add(first)
    with pytest.raises(names.BadName):
        known.add(second)
    assert len(known) == 1
    known.discard(first)
    known.add(second)


def test_d7_composed_and_decomposed_are_one_name() -> None:
    known = names.Names()
    assert known.add("e\u0301") == known.add("é") == "é"
    assert len(known) == 1


def test_d7_the_number_of_files_is_capped() -> None:
    known = names.Names(limit=2)
    known.add("a")
    known.add("b")
    known.add("b")
    with pytest.raises(names.BadName, match="2 files"):
        known.add("c")
    known.discard("a")
    known.add("c")


def test_a_folder_stays_taken_until_its_last_file_goes() -> None:
    known = names.Names()
    known.add("a/x")
    known.add("a/y")
    known.discard("a/x")
    known.discard("never/added")
    with pytest.raises(names.BadName):
        known.add("a")
    known.discard("a/y")
    known.add("a")
