"""Resolves the paths of an index to files or archive entries inside the data set's folder."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from mvlpt.data.images.archives import archive_entries, cut_at_archive
from mvlpt.data.sources.links import LinkCheck
from mvlpt.errors import DataError

_SUSPECT = re.compile(r"\.\.|:|(?:^|@)[/\\]")  # without one of these, no part of a path is absolute or contains '..'


class IndexPaths:
    """Resolves the paths of one index. The entries of each archive are read once, so that a line is cheap to check.

    Args:
        root: folder the paths are relative to.
        check_files: look up every file and archive entry.
    """

    def __init__(self, root: str | Path, *, check_files: bool = True) -> None:
        self._root = str(Path(root))
        self._check = check_files
        self._links = LinkCheck(self._root)
        self._there: dict[str, bool] = {}
        self._entries: dict[str, set[str]] = {}

    def impath(self, relative: str, where: str) -> str:
        """The image path of ``relative``, which may name an entry of an archive, ``archive.zip@entry``.

        If an archive is missing but was unpacked, into a folder of the same name or beside the index, the unpacked file
        is used.

        Args:
            relative: the path in the index.
            where: begins the error message.

        Raises:
            DataError: the path is absolute or leaves the folder, also by a link; the file, the archive or its entry is
                missing; the archive is broken.
        """
        impath = safe_join(self._root, relative, where)
        archive, entry = cut_at_archive(impath)
        if entry is None:
            if self._check and not self._links.is_file(impath, where):
                raise DataError(f"{where}: the file {impath} does not exist")
            return impath
        if archive not in self._there:
            self._there[archive] = os.path.exists(archive)
            self._links.is_file(archive, where)
        if self._there[archive]:
            if self._check and entry not in self._names(archive, where) and not self._links.is_file(impath, where):
                raise DataError(f"{where}: the archive {archive} has no file '{entry}'")
            return impath
        if self._links.is_file(impath, where):  # a plain file may be called like this
            return impath
        for folder in (archive[: -len(".zip")], self._root):
            if self._links.is_file(f"{folder}/{entry}", where):
                return f"{folder}/{entry}"
        if self._check:
            raise DataError(f"{where}: the archive {archive} does not exist")
        return impath

    def _names(self, archive: str, where: str) -> set[str]:
        if archive not in self._entries:
            try:
                self._entries[archive] = archive_entries(archive)
            except DataError as error:
                raise DataError(f"{where}: {error}") from error
        return self._entries[archive]


def safe_join(root: Path | str, relative: str, where: str) -> str:
    """``root`` joined with a relative path, ``archive.zip@entry`` allowed.

    Args:
        root: the folder.
        relative: the path.
        where: begins the error message.

    Raises:
        DataError: the path is absolute or leaves the folder.
    """
    if _SUSPECT.search(relative):
        for part in relative.split("@"):
            for flavour in (PurePosixPath(part), PureWindowsPath(part)):
                if flavour.is_absolute() or flavour.drive or ".." in flavour.parts:
                    raise DataError(f"{where}: the path '{relative}' leaves the data set's folder {root}")
    return f"{root}/{relative}"
