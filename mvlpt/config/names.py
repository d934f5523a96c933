"""Lists of names as one string, ``a,b,c``, in which the paths of files and folders may hold commas themselves."""

from __future__ import annotations

import os

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
        after = first + 1
        for end in range(len(parts), first + 1, -1):
            joined = ",".join(parts[first:end]).strip()
            if is_path_like(joined) and os.path.exists(os.path.expanduser(joined)):
                after = end
                break
        name = ",".join(parts[first:after]).strip()
        names += [name] if name else []
        first = after
    return names
