"""Links in a data set's folder: those that lead out of it are refused, for it may come from a stranger."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mvlpt.errors import DataError
from mvlpt.io import limit

DEEPEST = 64  # folders within each other
_SYSTEM = ("/proc", "/sys", "/dev")  # files there are no images, and some have no end


class LinkCheck:
    """Checks that files and folders lie in a data set's folder, whatever links there are on the way.

    The folder itself, and those above it, may be links. With ``MVLPT_FOLLOW_LINKS=1`` all links are followed.

    Args:
        root: the data set's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = str(root)
        self._follow = bool(limit("MVLPT_FOLLOW_LINKS"))
        self._real = os.path.realpath(self._root)
        self._resolved = functools.cache(os.path.realpath)

    def check_folder(self, path: str, where: str = "") -> None:
        """Checks a folder below the root.

        Raises:
            DataError: it leads out of the root, or to the root or a folder above it.
        """
        if not self._is_inside(self._resolved(path)):
            self._refuse(path, where)

    def is_file(self, path: str, where: str = "") -> bool:
        """Whether there is a regular file.

        Raises:
            DataError: it leads out of the root.
        """
        try:
            mode = os.lstat(path).st_mode
        except (OSError, ValueError):  # ValueError: a NUL in the path
            return False
        if self._follow:
            return os.path.isfile(path)
        folder = os.path.dirname(path)
        if self._resolved(folder) != self._real:
            self.check_folder(folder, where)
        if not stat.S_ISLNK(mode):
            return stat.S_ISREG(mode)
        if not self._is_inside(os.path.realpath(path)):
            self._refuse(path, where)
        return os.path.isfile(path)

    def _is_inside(self, real: str) -> bool:
        return self._follow or real.startswith(self._real.rstrip("/") + "/")

    def _refuse(self, path: str, where: str) -> None:
        raise DataError(
            f"{where}{': ' if where else ''}{path} leads out of the folder {self._root}, to {os.path.realpath(path)}; "
            "put the files themselves there, or set MVLPT_FOLLOW_LINKS=1 if you trust the data"
        )


def check_not_system(folder: str | Path) -> None:
    """Checks that a folder is neither the whole file system nor one of the system's own.

    Raises:
        DataError: it is.
    """
    real = os.path.realpath(folder)
    if real == "/" or real.startswith(tuple(f"{name}/" for name in _SYSTEM)) or real in _SYSTEM:
        raise DataError(f"The folder {folder} is {real}, which is not a folder of images; name a data set's folder")


def walk_files(folder: str | Path, links: LinkCheck, skipped: frozenset[str] = frozenset()) -> Iterator[str]:
    """Paths of the files in a folder, then of those in the folders below it, sorted within each, without hidden ones.

    Linked folders are left out.

    Args:
        folder: where to begin.
        links: of the data set's folder.
        skipped: names of folders to leave out.

    Raises:
        DataError: a folder cannot be read, folders are nested too deeply, there are too many files, or a link leads
            out of the data set.
    """
    check_not_system(folder)
    most, count = limit("MVLPT_MAX_VALUES"), 0
    waiting = [""]
    while waiting:
        here = waiting.pop()
        if here.count("/") > DEEPEST:
            raise DataError(f"{folder}: more than {DEEPEST} folders are nested in each other, as in {here[:80]}")
        try:
            with os.scandir(os.path.join(folder, here)) as entries:
                found = sorted((one.name, one.is_dir(), one) for one in entries if not one.name.startswith("."))
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
        count += len(found)
        if count > most:
            raise DataError(f"{folder} holds more than {most:,} files (MVLPT_MAX_VALUES raises the limit)")
        for name, is_folder, entry in found:
            if not is_folder:
                if entry.is_symlink():
                    links.is_file(entry.path)
                yield here + name
        folders = [name for name, is_folder, entry in found if is_folder and not entry.is_symlink()]
        waiting += [f"{here}{name}/" for name in reversed(folders) if name not in skipped]
