"""Names from outside as parts of file names."""

from __future__ import annotations

import hashlib
import os
import re

LONGEST = 180  # bytes; file systems take 255, of which endings and temporary names need some
_DIGITS = 12  # of the hash


def is_possible_path(path: str | os.PathLike[str]) -> bool:
    """Whether a file can have this path: it holds no null byte, and no half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def file_name(name: str, ending: str = "") -> str:
    """A name as the name of a file: what file systems refuse becomes ``_``, and a long one is cut and gets a hash.

    Args:
        name: any string.
        ending: added at its end, such as ``.json``.
    """
    safe = re.sub(r"[^\w.+-]+", "_", name) or "_"
    if safe.startswith("."):
        safe = "_" + safe[1:]
    raw = os.fsencode(safe)
    if len(raw) > LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        safe = f"{raw[: LONGEST - _DIGITS - 1].decode('utf-8', 'ignore')}-{digest}"
    return safe + ending


def path_part(name: str) -> str:
    """A name as the name of a folder, in letters, digits and ``._@=-``; a name that is not so, or long, gets a hash."""
    safe = re.sub(r"[^A-Za-z0-9._@=-]+", "_", name).strip("._") or "task"
    if safe == name and len(name) <= 80:
        return safe
    return f"{safe[-60:]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
