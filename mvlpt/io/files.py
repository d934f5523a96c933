"""Files that are whole or absent: written under a temporary name beside the target, flushed, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mvlpt.errors import RunFolderError


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a temporary file that replaces ``path`` when the block ends without an exception.

    Raises:
        RunFolderError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise RunFolderError(
            f"Cannot write {target}: {error.strerror or error}; free or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_json(obj: Any, path: str | os.PathLike[str]) -> None:
    """Writes readable JSON (Dassl's argument order)."""
    with atomic_write(path) as handle:
        json.dump(obj, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
        RunFolderError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFolderError(f"No file at {path}") from None
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} is not readable JSON: {error}") from error
