"""Which file names a model may write (D-7): pure rules, no disk."""

import re
import unicodedata

MAX_PATH_BYTES = 1024
MAX_COMPONENT_BYTES = 120
MAX_DEPTH = 32
MAX_FILES = 2_000

# Beside letters, digits and combining marks. No quotes, no shell or glob characters, and no "~", which is a home folder
# to a shell and a short name (`git~1`) to NTFS.
_PUNCTUATION = frozenset(" ._-+@=,()[]$")

# Letters and marks by category that draw nothing: two names that look alike would differ.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_GIT_SHORT_NAME = re.compile(r"gi\w{0,4}~\d+.*", re.IGNORECASE)

# Git acts on these wherever they stand, or whoever opens the folder does.
_ACTED_ON = frozenset({".git", ".gitmodules", ".gitattributes"})

# Made by tools, never by hand: they are no part of a project, so they are neither written nor listed.
GENERATED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules", ".venv"})


class BadName(ValueError):
    """A file name that is refused; the message says why, in words fit for the model and for the page."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_path(path: str) -> str:
    """Returns the relative path, in NFC with `/` between its components, that `path` names.

    Raises BadName for anything that is not plainly a regular file inside the project: `..`, absolute and home paths,
    backslashes and drives, control and invisible characters, names that git acts on in any spelling, names that some
    file system would change, and whatever is too long.
    """
    # Length first, so that nothing below works on megabytes.
    if len(path) > MAX_PATH_BYTES:
        raise BadName(f"the path has {len(path)} characters; at most {MAX_PATH_BYTES} bytes are allowed")
    if not path:
        raise BadName("the path is empty; name a file, such as src/app.py")
    path = unicodedata.normalize("NFC", path)
    _check_whole(path)
    components = path.split("/")
    if len(components) > MAX_DEPTH:
        raise BadName(f"the path has {len(components)} components; at most {MAX_DEPTH} are allowed")
    for component in components:
        _check_component(component)
    if len(path.encode()) > MAX_PATH_BYTES:
        raise BadName(f"the path has {len(path.encode())} bytes; at most {MAX_PATH_BYTES} are allowed")
    return path


def _check_whole(path: str) -> None:
    if "\x00" in path:
        raise BadName("the path contains a NUL character")
    if path.startswith("/"):
        raise BadName("the path is absolute; paths are relative to the project")
    if "\\" in path:
        raise BadName("the path contains a backslash; use / between folders")
    if len(path) > 1 and path[1] == ":":
        raise BadName("the path begins with a drive; paths are relative to the project")


def _check_component(component: str) -> None:
    if component in ("", "."):
        raise BadName("the path has an empty component or '.'; write it without")
    if component == "..":
        raise BadName("the path contains '..', which leaves the project")
    # Before the allow list, so that the reason of the worst case is the telling one.
    if _is_git(component):
        raise BadName("the path contains a name that git acts on (.git, .gitmodules, .gitattributes)")
    if "~" in component:
        raise BadName("the path contains '~', which stands for a home folder or a short name")
    _check_characters(component)
    if component[-1] in ". ":
        raise BadName("a component ends with a dot or a space, which some file systems drop")
    if component[0] in "- ":
        raise BadName("a component begins with '-' or a space, which reads as an option")
    if _WINDOWS_DEVICE.fullmatch(component):
        raise BadName(f"{component!r} is the name of a device on Windows")
    if component.casefold() in GENERATED:
        raise BadName(f"{component!r} is a folder that tools generate; it is no part of the project")
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        raise BadName(f"a component has {len(component.encode())} bytes; at most {MAX_COMPONENT_BYTES} are allowed")


def _check_characters(component: str) -> None:
    for character in component:
        if character in _PUNCTUATION or (character.isascii() and character.isalnum()):
            continue
        # Letters, numbers and marks of any script; this leaves out control, format, private and unassigned characters.
        if character.isascii() or unicodedata.category(character)[0] not in "LNM" or _INVISIBLE.match(character):
            raise BadName(f"the path contains the character U+{ord(character):04X}, which is not allowed in a name")
    if unicodedata.category(component[0])[0] == "M":
        raise BadName("a component begins with a combining mark")


def _is_git(component: str) -> bool:
    """True for a name that git, HFS+ or NTFS would take for one that git acts on.

    HFS+ ignores some invisible characters; NTFS drops trailing dots and spaces, ends a name at ':' (streams) and
    knows 8.3 short names; compatibility forms (full-width letters) are folded for good measure.
    """
    visible = "".join(c for c in component if unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Me"))
    folded = unicodedata.normalize("NFKC", visible).casefold()
    plain = folded.split(":", 1)[0].strip(" ").rstrip(" .")
    return plain in _ACTED_ON or _GIT_SHORT_NAME.fullmatch(folded) is not None


class Names:
    """The names of one project: refuses those that collide on some file system, and caps their number.

    Case and compatibility forms are folded, so `Readme` and `README` cannot both be there, nor a file and a folder of
    the same name.
    """

    def __init__(self, *, limit: int = MAX_FILES) -> None:
        self._limit = limit
        self._files: dict[str, str] = {}  # folded path -> path
        self._folders: dict[str, tuple[str, int]] = {}  # folded path -> path and how many files are below

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: str) -> bool:
        return self._files.get(_fold(path)) == path

    def add(self, path: str) -> str:
        """Returns the checked form of `path` and remembers it; the same path again is no collision.

        Raises BadName as `check_path` does, for a collision, and when there are `limit` files already.
        """
        path = check_path(path)
        folded = _fold(path)
        if self._files.get(folded) == path:
            return path
        self._check_collision(path, folded)
        if len(self._files) >= self._limit:
            raise BadName(f"the project has {self._limit} files already; that is the most it may have")
        self._files[folded] = path
        for folder in _parents(path):
            self._folders[_fold(folder)] = folder, self._folders.get(_fold(folder), ("", 0))[1] + 1
        return path

    def discard(self, path: str) -> None:
        """Forgets `path`, and the folders that held nothing else."""
        if path not in self:
            return
        del self._files[_fold(path)]
        for folder in _parents(path):
            name, below = self._folders.pop(_fold(folder))
            if below > 1:
                self._folders[_fold(folder)] = name, below - 1

    def _check_collision(self, path: str, folded: str) -> None:
        if folded in self._files:
            raise BadName(f"{path!r} and {self._files[folded]!r} are one file where case or accents do not count")
        if folded in self._folders:
            raise BadName(f"{path!r} is a folder already")
        for folder in _parents(path):
            key = _fold(folder)
            if key in self._files:
                raise BadName(f"{folder!r} is a file already, so nothing can be below it")
            if key in self._folders and self._folders[key][0] != folder:
                raise BadName(f"{folder!r} and {self._folders[key][0]!r} are one folder where case does not count")


def _fold(path: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
