"""Paths in an experiment file: beside the file, or else from the current folder, or else shipped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TASKS = ("tasks", "sources", "targets")
FILES = ("trainers", "baselines", "zero_shot")
PATHS = ("plugins", "root")  # never names of anything else
GROUPING_FILES = ("file", "results", "fit")


def with_paths(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The content of an experiment file with its relative paths as they are found from the current folder.

    Args:
        content: checked values by key.
        file: where they were read.
    """
    folder = file.parent
    resolved = dict(content)
    for key in (*TASKS, *FILES, *PATHS):
        value = content.get(key)
        find = _found if key in PATHS else _found_file
        if isinstance(value, str):
            resolved[key] = find(value, folder)
        elif value:
            resolved[key] = [find(word, folder) for word in value]
    grouping, backbone = content.get("grouping"), content.get("backbone")
    if grouping:
        found = {key: _found(grouping[key], folder) for key in GROUPING_FILES if isinstance(grouping.get(key), str)}
        resolved["grouping"] = {**grouping, **found}
    if isinstance(backbone, Mapping) and isinstance(backbone.get("pretrained"), str):
        resolved["backbone"] = {**backbone, "pretrained": _found_file(backbone["pretrained"], folder)}
    return resolved


def _found_file(word: str, folder: Path) -> str:
    """:func:`_found` for a word that is a path only if it looks like one, and else the name of something."""
    return _found(word, folder) if any(sign in word for sign in "/.") else word


def _found(word: str, folder: Path) -> str:
    """A path beside the experiment file, absolute where that is not the current folder; otherwise the word itself."""
    if not word or os.path.isabs(word) or word.startswith("~"):
        return word
    beside = os.path.abspath(folder / word)
    if beside == os.path.abspath(word) or not os.path.exists(beside):
        return word
    return beside + "/" * word.endswith("/")
