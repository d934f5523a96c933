"""Images inside zip archives, ``archive.zip@entry``: parsing such paths and reading entries without unpacking."""

from __future__ import annotations

import importlib
import os
import re
import threading
import zipfile
from collections import Counter, OrderedDict
from types import ModuleType

from mvlpt.errors import DataError
from mvlpt.io import is_regular_entry, open_zip, read_zip_entry

MAX_OPEN_ARCHIVES = 16

ARRAYS = ".torchvision"  # suffix of a data set whose images torchvision stores in arrays

_ARCHIVE = re.compile(r"\.(?:zip|torchvision)(@)", re.IGNORECASE)


def split_impath(impath: str) -> tuple[str, str | None]:
    """Splits ``archive.zip@entry`` at the first ``@`` that follows ``.zip`` (or ``.torchvision``).

    Returns:
        The file and the entry; the entry is ``None`` for a plain file. An existing plain file has precedence.
    """
    archive, entry = cut_at_archive(impath)
    return (impath, None) if entry is not None and os.path.isfile(impath) else (archive, entry)


def cut_at_archive(impath: str) -> tuple[str, str | None]:
    """As :func:`split_impath`, by the spelling alone, without access to the disk."""
    cut = _ARCHIVE.search(impath)
    return (impath, None) if cut is None else (impath[: cut.start(1)], impath[cut.end(1) :])


def file_stamp(path: str) -> tuple[int, int]:
    """Size and modification time of a file, or of the archive of an image; (-1, -1) if there is none."""
    path = split_impath(path)[0]
    if path.endswith(ARRAYS):
        return torchvision_arrays().array_stamp(path)
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1)
    return (status.st_size, status.st_mtime_ns)


def archive_entries(path: str) -> set[str]:
    """Names of the regular files in an archive.

    Raises:
        DataError: the archive is missing or broken, or holds a name twice.
    """
    with _pool().lock:
        names = [info.filename for info in _pool().open(path).infolist() if is_regular_entry(info)]
    found = set(names)
    if len(found) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f"The archive {path} holds '{twice}' twice; pack it again")
    return found


def read_entry(path: str, entry: str) -> bytes:
    """The bytes of one entry of a zip archive. Nothing is unpacked to disk.

    Raises:
        DataError: archive or entry is missing, broken, a link, encrypted, packed by another method than deflate, or
            larger than ``MVLPT_MAX_ENTRY_MB``.
    """
    pool = _pool()
    with pool.lock:
        return read_zip_entry(pool.open(path), entry)


def torchvision_arrays() -> ModuleType:
    """The reader of torchvision's arrays, imported only when needed."""
    return importlib.import_module("mvlpt.data.sources.torchvision")


class _ArchivePool:
    """The zip files that a process keeps open, the most recently used last. A forked child starts its own pool, since
    parent and child would share one file position."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self._open: OrderedDict[str, tuple[tuple[int, int], zipfile.ZipFile]] = OrderedDict()

    def open(self, path: str) -> zipfile.ZipFile:
        stamp = file_stamp(path)
        held = self._open.pop(path, None)
        if held is not None and held[0] == stamp:
            self._open[path] = held
            return held[1]
        if held is not None:
            held[1].close()
        archive = open_zip(path)
        self._open[path] = (stamp, archive)
        if len(self._open) > MAX_OPEN_ARCHIVES:
            self._open.popitem(last=False)[1][1].close()
        return archive


_POOLS: list[_ArchivePool] = []


def _pool() -> _ArchivePool:
    if not _POOLS or _POOLS[0].pid != os.getpid():
        _POOLS[:] = [_ArchivePool()]
    return _POOLS[0]
