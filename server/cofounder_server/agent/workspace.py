"""The folder in which one build's project lies: regular files only, never through a symbolic link (D-7).

What runs in the sandbox may leave anything behind (links, FIFOs, a million files). Nothing here trusts the tree: each
folder on the way is opened without following links, and what is not a plain file of the project is skipped and named.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cofounder_server.agent import names
from cofounder_server.builds import text

MAX_FILE_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 64 * 1024 * 1024

# How many entries of one tree are looked at; the rest of a larger tree is skipped, so that a listing stays bounded.
MAX_ENTRIES = 50_000

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO must not wait for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class WorkspaceFull(Exception):
    """The write would exceed what one project may hold; the message says which limit."""


class NoSuchFile(LookupError):
    """There is no regular file of that name in the workspace."""


@dataclass(frozen=True)
class File:
    """One file of the project: its checked path, its size in bytes, and the SHA-256 of its content in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Skipped:
    """Something in the folder that is no file of the project, and why."""

    path: str
    reason: str


class Workspace:
    """Files under `root`, which must exist and which nobody else replaces. Blocking, and quick: bounded by the caps.

    The caps hold for what is written here and for what is listed: a file left by the sandbox that exceeds one is
    skipped, with the reason, as if it were not there.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        max_files: int = names.MAX_FILES,
    ) -> None:
        self.root = root
        self._max_file_bytes = max_file_bytes
        self._max_total_bytes = max_total_bytes
        self._max_files = max_files

    def write(self, path: str, content: bytes) -> File:
        """Replaces or creates the file in one step: a reader sees the old content or the new.

        Raises BadName for a refused, colliding or linked path, and WorkspaceFull beyond a cap; then nothing changed.
        """
        return self.write_all({path: content})[0]

    def write_all(self, contents: Mapping[str, bytes]) -> list[File]:
        """Writes many files as `write` does, for one look at what is there. Raises as it does: names and caps of all
        are checked before the first is written."""
        checked = {names.check_path(path): content for path, content in contents.items()}
        self._check_room({path: len(content) for path, content in checked.items()})
        return [self._place(path, content) for path, content in checked.items()]

    def _place(self, path: str, content: bytes) -> File:
        with self._parent(path, create=True) as (folder, name):
            # "~" cannot stand in a name, so a file left here by a crash is never taken for one of the project.
            partial = f"~{secrets.token_hex(8)}"
            try:
                with os.fdopen(os.open(partial, _CREATE, 0o644, dir_fd=folder), "wb") as file:
                    file.write(content)
                os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
            except IsADirectoryError:
                raise names.BadName(f"{path!r} is a folder already") from None
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=folder)
        return File(path, len(content), hashlib.sha256(content).hexdigest())

    def read(self, path: str) -> bytes:
        """Returns the file's content. Raises BadName, or NoSuchFile if no regular file (within the cap) is there."""
        path = names.check_path(path)
        try:
            with self._parent(path) as (folder, name):
                return self._content(folder, name)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise NoSuchFile(f"there is no file {path!r} in the workspace") from None

    def delete(self, path: str) -> None:
        """Removes the file, and the folders that held nothing else. Raises BadName, or NoSuchFile."""
        path = names.check_path(path)
        try:
            with self._parent(path) as (folder, name):
                if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise NoSuchFile(f"{path!r} is not a regular file")
                os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchFile(f"there is no file {path!r} in the workspace") from None
        self._prune(path)

    def files(self) -> list[File]:
        """Returns the project's files, sorted by path."""
        return self.scan()[0]

    def scan(self) -> tuple[list[File], list[Skipped]]:
        """Returns the project's files, sorted by path, and what else lies in the folder (without generated folders).

        Which files are taken where not all can be depends on the sorted order only, so it is the same each time.
        """
        sizes, skipped = self._survey()
        files = []
        for path in sizes:
            try:
                content = self.read(path)
            except (NoSuchFile, names.BadName, OSError):
                skipped.append(Skipped(path, "it changed or cannot be read"))
                continue
            files.append(File(path, len(content), hashlib.sha256(content).hexdigest()))
        return files, skipped

    def tree_hash(self) -> str:
        """Returns one SHA-256 (hexadecimal) over all paths and contents: equal exactly if the projects are equal."""
        return hashlib.sha256(manifest(self.files())).hexdigest()

    def _check_room(self, wanted: Mapping[str, int]) -> None:
        sizes, _ = self._survey()
        known = names.Names(limit=self._max_files)
        for other in sizes:
            known.add(other)
        total = sum(sizes.values())
        for path, size in wanted.items():
            if size > self._max_file_bytes:
                raise WorkspaceFull(f"{path!r} would have {size} bytes; a file may have {self._max_file_bytes}")
            if path not in known and len(known) >= self._max_files:
                raise WorkspaceFull(f"the project has {len(known)} files already; that is the most it may have")
            known.add(path)
            total += size - sizes.get(path, 0)
            if total > self._max_total_bytes:
                raise WorkspaceFull(f"with {path!r} the project would exceed its {self._max_total_bytes} bytes")

    def _survey(self) -> tuple[dict[str, int], list[Skipped]]:
        """Returns the size of each file of the project by its path, sorted, without reading any, and the skipped."""
        sizes: dict[str, int] = {}
        skipped: list[Skipped] = []
        known = names.Names(limit=self._max_files)
        total = 0
        for path, found in sorted(self._entries(skipped)):
            try:
                size = self._size(found)
                if total + size > self._max_total_bytes:
                    raise names.BadName(f"the project may have {self._max_total_bytes} bytes in all")
                if known.add(path) != path:
                    raise names.BadName("the name is not in the normal form NFC")
            except names.BadName as error:
                skipped.append(Skipped(text.clean(path), error.reason))
                continue
            sizes[path] = size
            total += size
        return sizes, skipped

    def _size(self, found: tuple[int, int]) -> int:
        mode, size = found
        if not stat.S_ISREG(mode):
            raise names.BadName("it is not a regular file")
        if size > self._max_file_bytes:
            raise names.BadName(f"it has {size} bytes; a file may have {self._max_file_bytes}")
        return size

    def _entries(self, skipped: list[Skipped]) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yields (path, (mode, size)) of all that is not a folder, following no link."""
        seen = 0

        def unreadable(error: OSError) -> None:
            path = os.path.relpath(str(error.filename), self.root)
            skipped.append(Skipped(text.clean(path), "the folder cannot be read"))

        for folder, folders, others, fd in os.fwalk(self.root, onerror=unreadable, follow_symlinks=False):
            folders[:] = sorted(name for name in folders if name.casefold() not in names.GENERATED)
            below = "" if folder == str(self.root) else os.path.relpath(folder, self.root) + "/"
            if below.count("/") >= names.MAX_DEPTH:
                folders[:] = []  # deeper down nothing has an allowed name, and the walk recurses
            for name in sorted(others) + folders:
                seen += 1
                if seen > MAX_ENTRIES:
                    skipped.append(Skipped(text.clean(below + name), f"only {MAX_ENTRIES} entries are looked at"))
                    return
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if not stat.S_ISDIR(found.st_mode):
                        yield below + name, (found.st_mode, found.st_size)

    def _content(self, folder: int, name: str) -> bytes:
        fd = self._open(name, _READ, folder)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > self._max_file_bytes:
                raise NoSuchFile(f"{name!r} is not a regular file of at most {self._max_file_bytes} bytes")
            return file.read(self._max_file_bytes)

    @contextlib.contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Opens the folder that holds `path`, one component at a time; yields its descriptor and the last component."""
        *folders, name = path.split("/")
        fd = os.open(self.root, _FOLDER)
        try:
            for folder in folders:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, 0o755, dir_fd=fd)
                below = self._open(folder, _FOLDER, fd)
                os.close(fd)
                fd = below
            yield fd, name
        finally:
            os.close(fd)

    def _open(self, name: str, flags: int, folder: int) -> int:
        try:
            return os.open(name, flags, dir_fd=folder)
        except OSError as error:
            # Linux says ENOTDIR for a link where a folder was asked for, and ELOOP for one where a file was.
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                raise names.BadName(f"{name!r} is a link or a file where the path needs a folder or a file") from None
            # ENXIO: a socket or a FIFO.
            if error.errno == errno.ENXIO:
                raise NoSuchFile(f"{name!r} is not a regular file") from None
            raise

    def _prune(self, path: str) -> None:
        parts = path.split("/")[:-1]
        while parts:
            try:
                with self._parent("/".join(parts)) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            parts.pop()


def manifest(files: Sequence[File]) -> bytes:
    """Returns what names a tree, for files sorted by path: its SHA-256 is the tree hash."""
    return "".join(f"{file.path}\0{file.sha256}\n" for file in files).encode()


def remove(root: Path) -> None:
    """Removes a workspace with whatever the sandbox left in it: folders of any depth or mode, links but not their ends.

    Folders are moved up to the root, level by level: a path down to the deepest could be longer than the system takes.
    Nothing may run in the workspace any more.
    """
    top = os.open(root, _FOLDER)
    try:
        while found := _listing(top):
            for name, is_folder in found:
                if is_folder:
                    _empty_into(top, name)
                    os.rmdir(name, dir_fd=top)
                else:
                    os.unlink(name, dir_fd=top)
    finally:
        os.close(top)
    root.rmdir()


def _listing(folder: int) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _empty_into(top: int, name: str) -> None:
    os.chmod(name, 0o700, dir_fd=top)
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        for below, is_folder in _listing(folder):
            if is_folder:
                os.chmod(below, 0o700, dir_fd=folder)  # a folder changes its parent only if it can be written
                os.rename(below, f"~{secrets.token_hex(8)}", src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(below, dir_fd=folder)
    finally:
        os.close(folder)
