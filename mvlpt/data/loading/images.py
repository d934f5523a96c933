"""Reads one image, from a file or straight from a zip archive, and refuses what is broken or dangerous."""

from __future__ import annotations

import functools
import importlib
import io
import os
import re
import stat
import threading
import zipfile
from collections import OrderedDict
from types import ModuleType

from PIL import Image, UnidentifiedImageError

from mvlpt.data.loading.image_modes import upright_rgb
from mvlpt.errors import DataError

MAX_PIXELS = 89_000_000  # just below the count at which Pillow itself begins to warn of a decompression bomb
MAX_ENTRY_BYTES = 256 * 2**20
MAX_OPEN_ARCHIVES = 16
_PROGRAMS = ("EPS",)  # Ghostscript would run what a stranger wrote

ARRAYS = ".torchvision"  # ends the name of a data set whose images torchvision keeps in arrays

_ARCHIVE = re.compile(r"\.(?:zip|torchvision)(@)", re.IGNORECASE)


def split_impath(impath: str) -> tuple[str, str | None]:
    """Takes ``archive.zip@entry`` apart at the first ``@`` that follows ``.zip`` (or ``.torchvision``).

    Returns:
        The file and the entry; the entry is ``None`` for a plain file. An existing plain file wins.
    """
    archive, entry = cut_at_archive(impath)
    return (impath, None) if entry is not None and os.path.isfile(impath) else (archive, entry)


def cut_at_archive(impath: str) -> tuple[str, str | None]:
    """As :func:`split_impath`, by the spelling alone, without a look at the disk."""
    cut = _ARCHIVE.search(impath)
    return (impath, None) if cut is None else (impath[: cut.start(1)], impath[cut.end(1) :])


def file_stamp(path: str) -> tuple[int, int]:
    """Size and time of change of a file, or of the archive that holds an image; (-1, -1) where there is none."""
    path = split_impath(path)[0]
    if path.endswith(ARRAYS):
        return _arrays().array_stamp(path)
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1)
    return (status.st_size, status.st_mtime_ns)


def read_image(impath: str) -> Image.Image:
    """Reads an image as RGB, turned upright as its EXIF record says.

    Args:
        impath: a file, or ``archive.zip@entry``.

    Raises:
        DataError: the file or entry is missing, cannot be decoded, is cut short or is far too large.
    """
    path, entry = split_impath(impath)
    try:
        if entry is not None and path.endswith(ARRAYS):
            return _arrays().read_array_image(path, entry).convert("RGB")
        source = io.BytesIO(read_entry(path, entry)) if entry is not None else path
        with Image.open(source, formats=_formats()) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise DataError(f"The image {impath} has {width} x {height} pixels; at most {MAX_PIXELS} are read")
            image.load()
            return upright_rgb(image, impath)
    except (DataError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"The image {impath} does not exist") from None
    except Image.DecompressionBombError:
        raise DataError(f"The image {impath} is too large: more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise DataError(f"The file {impath} is not an image that can be read") from None
    except Exception as error:  # decoders raise whatever they like on broken input
        reason = str(error).strip() or type(error).__name__
        raise DataError(f"The image {impath} cannot be decoded: {reason}") from error


@functools.cache
def _formats() -> tuple[str, ...]:
    """The formats that are read: all of Pillow's but those for which it starts another program on the file."""
    Image.init()
    return tuple(name for name in Image.ID if name not in _PROGRAMS)


def archive_entries(path: str) -> set[str]:
    """Names of the regular files in an archive.

    Raises:
        DataError: the archive is missing or broken.
    """
    with _pool().lock:
        return {info.filename for info in _pool().open(path).infolist() if _is_regular(info)}


def read_entry(path: str, entry: str) -> bytes:
    """The bytes of one entry of a zip archive. Nothing is ever unpacked to disk.

    Raises:
        DataError: archive or entry is missing, broken, a link, encrypted or larger than ``MAX_ENTRY_BYTES``.
    """
    pool = _pool()
    with pool.lock:
        archive = pool.open(path)
        try:
            info = archive.getinfo(entry)
        except KeyError:
            raise DataError(f"The archive {path} has no entry '{entry}'") from None
        if not _is_regular(info):
            raise DataError(f"The entry '{entry}' of {path} is a link or a folder, not a file")
        if info.file_size > MAX_ENTRY_BYTES:
            raise DataError(f"The entry '{entry}' of {path} unpacks to {info.file_size} bytes; it is not read")
        try:
            return archive.read(info)
        except Exception as error:  # zipfile and zlib: bad checksum, cut short, encrypted, unknown compression
            raise DataError(f"The entry '{entry}' of {path} cannot be read: {error}") from error


def _is_regular(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def _arrays() -> ModuleType:
    """The reader of torchvision's arrays, which most runs never need."""
    return importlib.import_module("mvlpt.data.sources.torchvision")


class _ArchivePool:
    """The zip files a process holds open, the most recently used last. A forked child starts a pool of its own,
    since parent and child would share one position in the file."""

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
        try:
            archive = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise DataError(f"The archive {path} does not exist") from None
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(f"The archive {path} cannot be opened, it may be cut short: {error}") from error
        self._open[path] = (stamp, archive)
        if len(self._open) > MAX_OPEN_ARCHIVES:
            self._open.popitem(last=False)[1][1].close()
        return archive


_POOLS: list[_ArchivePool] = []


def _pool() -> _ArchivePool:
    if not _POOLS or _POOLS[0].pid != os.getpid():
        _POOLS[:] = [_ArchivePool()]
    return _POOLS[0]
