"""Files that are whole or absent: written under a temporary name beside the target, flushed, then renamed."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mvlpt.errors import MvlptError, RunFolderError
from mvlpt.io.display import json_text
from mvlpt.io.names import is_possible_path

REMEDY = "free or choose another folder"
SETTLED_SECONDS = 2.0  # a temporary file is locked by its writer long before it is this old
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.tmp")


@contextmanager
def atomic_write(
    path: str | os.PathLike[str],
    mode: str = "w",
    *,
    error: type[MvlptError] = RunFolderError,
    remedy: str = REMEDY,
    sync: bool = True,
) -> Iterator[IO[Any]]:
    """Opens a temporary file that replaces ``path`` when the block ends without an exception.

    The temporary file is unique across threads, processes and machines, and gets the permissions that ``open`` would
    have given. Text is UTF-8; characters that UTF-8 cannot hold (file names of unknown encoding) become escapes, which
    JSON and YAML read back. A device or a pipe, such as ``/dev/stdout``, is written directly.

    Args:
        path: the target; its folder is made when it is missing.
        mode: ``"w"`` for text, ``"wb"`` for bytes.
        error: the type to raise when the file cannot be written.
        remedy: ends the sentence of that error.
        sync: flush to the disk before renaming, so that the content survives a power failure.

    Raises:
        MvlptError: of type ``error``; the folder cannot be written, or the disk is full.
    """
    if not is_possible_path(path):
        raise error(f"Cannot write {path}: no file can have this name; {remedy}")
    target, temporary = Path(path), None
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "backslashreplace"}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file() and not target.is_dir():
            with open(target, mode, **text) as handle:
                yield handle
            return
        temporary, number = _open_temporary(target)
        with open(number, mode, **text) as handle:
            yield handle
            handle.flush()
            if sync:
                os.fsync(handle.fileno())
            os.replace(temporary, target)
            temporary = None
    except MvlptError:
        raise
    except OSError as problem:
        raise error(f"Cannot write {target}: {problem.strerror or problem}; {remedy}") from problem
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _open_temporary(target: Path) -> tuple[Path, int]:
    """A new file beside the target, open for reading and writing and locked, with the target's permissions."""
    name = os.fsencode(target.name)[:200]
    temporary = target.with_name(f".{os.fsdecode(name)}.{secrets.token_hex(8)}.tmp")
    number = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    with suppress(OSError):  # a file system without locks keeps what killed writers leave
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(OSError):
        os.fchmod(number, stat.S_IMODE(target.stat().st_mode))
    return temporary, number


def check_not_linked(path: str | os.PathLike[str]) -> None:
    """Checks that a file to which something is appended is not a link to another file, which a stranger may have made.

    Raises:
        OSError: it is.
    """
    if os.path.islink(path) and (os.path.isfile(path) or not os.path.exists(path)):
        raise OSError(errno.ELOOP, "it is a link to another file", os.fspath(path))


def append_descriptor(path: str | os.PathLike[str]) -> int:
    """A descriptor that reads and appends; the file is made when it is missing.

    Raises:
        OSError: the file cannot be opened, or is a link to another file.
    """
    check_not_linked(path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)


def open_to_append(path: str | os.PathLike[str]) -> IO[bytes]:
    """:func:`append_descriptor` as a file of bytes."""
    return open(append_descriptor(path), "ab")


def check_encoding(path: str | os.PathLike[str], error: type[MvlptError] = RunFolderError) -> None:
    """Checks that a path can be written into files and shown: that its name is UTF-8.

    Raises:
        MvlptError: of type ``error``; it is not.
    """
    name = os.fspath(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise error(f"The name of the folder {shown} is not UTF-8; rename it, or choose another folder") from None


def sweep_leftovers(folder: str | os.PathLike[str]) -> list[Path]:
    """Removes the temporary files that killed writers left in a folder, and returns them.

    A file whose writer still lives is locked and stays. Call it while you hold the folder's own lock.
    """
    removed = []
    with suppress(OSError):
        for entry in os.scandir(folder):
            if not _TEMPORARY.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime >= SETTLED_SECONDS and _is_abandoned(entry.path):
                    os.unlink(entry.path)
                    removed.append(Path(entry.path))
    return removed


def _is_abandoned(path: str) -> bool:
    """Whether nobody holds the lock of a temporary file."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(number)


def write_file(
    path: str | os.PathLike[str],
    content: str | bytes,
    *,
    error: type[MvlptError] = RunFolderError,
    remedy: str = REMEDY,
    sync: bool = True,
) -> None:
    """Writes text or bytes with :func:`atomic_write`."""
    mode = "wb" if isinstance(content, bytes) else "w"
    with atomic_write(path, mode, error=error, remedy=remedy, sync=sync) as handle:
        handle.write(content)


def write_json(obj: Any, path: str | os.PathLike[str], *, error: type[MvlptError] = RunFolderError) -> None:
    """Writes readable JSON (Dassl's argument order)."""
    with atomic_write(path, error=error) as handle:
        handle.write(json_text(obj, indent=2) + "\n")
