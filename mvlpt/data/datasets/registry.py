"""The registry of data sets: names, aliases, and paths of files that describe a task."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mvlpt.config import is_path_like
from mvlpt.errors import UnknownNameError, suggest
from mvlpt.registry import Registry


class DatasetRegistry(Registry):
    """A registry that also knows aliases, ambiguous names, and paths.

    Aliases and paths are not listed by ``registered_names``; everything is looked up when a name is asked for.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._aliases: list[Callable[[], Mapping[str, str]]] = []
        self._objections: list[Callable[[str], str]] = []
        self._paths: list[tuple[Callable[[str], bool], Callable[[str], Any]]] = []

    def register_aliases(self, table: Callable[[], Mapping[str, str]], objection: Callable[[str], str]) -> None:
        """Adds other names.

        Args:
            table: returns the canonical name of each alias.
            objection: returns an error message for an ambiguous name, else an empty string.
        """
        self._aliases.append(table)
        self._objections.append(objection)

    def register_paths(self, accepts: Callable[[str], bool], build: Callable[[str], Any]) -> None:
        """Adds names that are paths.

        Args:
            accepts: whether a name is such a path.
            build: builds its entry.
        """
        self._paths.append((accepts, build))

    def get(self, name: str) -> Any:
        """The data set registered under ``name``, its alias, or described by the file of that path.

        Raises:
            UnknownNameError: there is none, or the name is ambiguous; the message says what to write.
        """
        for accepts, build in self._paths:
            if accepts(name):
                return build(name)  # never cached: the file may change
        try:
            return super().get(name)
        except UnknownNameError:
            canonical = next((table()[name] for table in self._aliases if name in table()), None)
            if canonical is not None:
                return super().get(canonical)
            objection = next(filter(None, (objects(name) for objects in self._objections)), "")
            if objection:
                raise UnknownNameError(objection) from None
            raise UnknownNameError(_unknown(name) or self._unregistered(name)) from None

    def _unregistered(self, name: str) -> str:
        if os.path.isdir(name):
            return f"No {self._name} is named '{name}'; for the folder of this name write '{name}/'"
        folders = [f"{path.name}/" for path in Path().iterdir() if path.is_dir() and not path.name.startswith(".")]
        near = suggest(name, [*self.registered_names(), *folders], cutoff=0.6)
        return f"No {self._name} is named '{name}'{near or '; `mvlpt tasks list` shows them all'}"

    def __contains__(self, name: str) -> bool:
        return super().__contains__(name) or any(name in table() for table in self._aliases)


def _unknown(name: str) -> str:
    """What is wrong with a name that is a path; empty for another name."""
    path = Path(name)
    if os.path.isfile(path):  # false for a name that no file can have
        how = "manifest" if path.suffix.lower() in (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson") else "images"
        return f"{name} is a file, not a task; name a folder of class folders, or a task file (.yaml) with '{how}: ...'"
    if not is_path_like(name):
        return ""
    parent = path.parent
    there = [f"{entry.name}/" for entry in parent.iterdir() if entry.is_dir()] if os.path.isdir(parent) else []
    near = suggest(f"{path.name}/", there)
    missing = f"There is no folder {name}" + ("" if path.is_absolute() else f" in {os.getcwd()}")
    if os.path.isdir(parent):
        return missing + (near if near.startswith("; did you mean") else "")
    return f"{missing}, nor {parent}"
