"""Paths in an experiment file: beside the file, or else from the current folder, or else shipped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TASKS = ("tasks", "sources", "targets")
FILES = ("trainers", "baselines", "plugins", "zero_shot", "root")
GROUPING_FILES = ("file", "results", "fit")


def with_paths(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The content of an experiment file with its relative paths as they are found from the current folder.

    Args:
        content: checked values by key.
        file: where they were read.
    """
    folder = file.parent
    resolved = dict(content)
    for key in (*TASKS, *FILES):
        value = content.get(key)
        if isinstance(value, str):
            resolved[key] = _found(value, folder)
        elif value:
            resolved[key] = [_found(word, folder) for word in value]
    grouping = content.get("grouping")
    if grouping:
        found = {key: _found(grouping[key], folder) for key in GROUPING_FILES if isinstance(grouping.get(key), str)}
        resolved["grouping"] = {**grouping, **found}
    return resolved


def _found(word: str, folder: Path) -> str:
    """A path beside the experiment file, absolute where that is not the current folder; otherwise the word itself."""
    if not word or os.path.isabs(word) or word.startswith("~") or not any(sign in word for sign in "/."):
        return word
    beside = os.path.abspath(folder / word)
    if beside == os.path.abspath(word) or not os.path.exists(beside):
        return word
    return beside + "/" * word.endswith("/")
