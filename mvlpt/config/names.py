"""Lists of names as one string, ``a,b,c``, in which the paths of files and folders may hold commas themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence

LONGEST = 255  # characters of the name of a file
PATH_SUFFIXES = (".yaml", ".yml")


def is_path_like(name: str) -> bool:
    """Whether a name is written as a path: with a slash, or as a YAML file."""
    return "/" in name.replace(os.sep, "/") or name.lower().endswith(PATH_SUFFIXES)


def split_names(text: str) -> list[str]:
    """The names in ``a,b,c``, without empty ones.

    Neighbours that together are the path of a file or folder that exists are one name: ``cats,dogs/`` where there is a
    folder ``cats,dogs``.
    """
    parts = text.split(",")
    names: list[str] = []
    first = 0
    while first < len(parts):
        after = _end_of_path(parts, first)
        name = ",".join(parts[first:after]).strip()
        names += [name] if name else []
        first = after
    return names


def _end_of_path(parts: Sequence[str], first: int) -> int:
    """The position after the longest path that exists and begins with a part; after that part where there is none."""
    after, joined = first + 1, parts[first].lstrip()
    for end in range(first + 2, len(parts) + 1):
        joined += f",{parts[end - 1]}"
        folder, _, last = os.path.expanduser(joined).rpartition("/")
        if len(last) > LONGEST or (folder and not os.path.isdir(folder)):
            break  # nor does any longer path exist
        if is_path_like(joined.rstrip()) and os.path.exists(os.path.expanduser(joined.rstrip())):
            after = end
    return after
