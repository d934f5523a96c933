"""YAML files of options, and the files that they build on."""

from __future__ import annotations

import copy
import functools
import os
from pathlib import Path
from typing import Any

from mvlpt import io
from mvlpt.config.options import OPTIONS
from mvlpt.config.shipped import find_config, nearest_config
from mvlpt.config.values import coerce, flatten
from mvlpt.errors import ConfigError

LARGEST = 2**24  # bytes of a YAML file of options
BASE = "_BASE_"  # in a YAML file: the file whose options it changes
DEEPEST = 32  # files that build on each other
SAVED = "config.yaml"  # in a run's folder


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping in a YAML file; ``{}`` for an empty file.

    Raises:
        ConfigError: missing, unreadable, not a mapping, or a ``.py`` file, which yacs would execute.
    """
    file = Path(path)
    if file.suffix == ".py":
        raise ConfigError(f"{file}: a .py config would be executed and is refused; write the options as YAML")
    missing = "" if os.path.exists(file) else f"No config file at {file}{nearest_config(file)}"
    text = io.read_text(file, error=ConfigError, largest=LARGEST, missing=missing, remedy="correct the file")
    content = copy.deepcopy(_parsed(text, str(file)))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold sections of options (KEY: value), not a {type(content).__name__}")
    return content


@functools.lru_cache(maxsize=64)
def _parsed(text: str, where: str) -> Any:
    """The value in a file; kept, since a worker reads the same few files for every job."""
    return io.parse_yaml(text, where, remedy="correct the file")


def with_bases(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """A YAML file and, before it, the files it builds on: ``_BASE_: other.yaml``, relative to its own folder.

    Raises:
        ConfigError: a file cannot be read, or files name each other in a circle.
    """
    chain: list[tuple[Path, dict[str, Any]]] = []
    while path is not None:
        if len(chain) >= DEEPEST:
            raise ConfigError(
                f"{chain[-1][0]} builds on more than {DEEPEST} files in a row by {BASE}; join some of them"
            )
        if any(os.path.realpath(path) == os.path.realpath(file) for file, _ in chain):
            raise ConfigError(f"{path} builds on itself by its _BASE_")
        content = read_yaml(path)
        base = content.pop(BASE, None)
        chain.insert(0, (path, content))
        if base is not None and not (isinstance(base, str) and io.is_possible_path(base)):
            raise ConfigError(f"{path}: {BASE} is {base!r}; name one file")
        path = None if base is None else path.parent / base
    return chain


def options_set_in(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The options that a file and the files it builds on set, flat, as they are written.

    Raises:
        ConfigError: a file cannot be read.
    """
    return {key: value for _, content in with_bases(Path(path)) for key, value in flatten(content)}


def options_in(path: str | os.PathLike[str]) -> dict[str, Any]:
    """All options as a file or a run sets them, flat; those that it does not set have their defaults.

    Args:
        path: a YAML file, one that is shipped, or a run's folder.

    Raises:
        ConfigError: the file cannot be read, or a value is not of its option's type.
    """
    file = find_config(path)
    values = {key: option.default for key, option in OPTIONS.items()}
    for _, content in with_bases(file / SAVED if os.path.isdir(file) else file):
        for key, value in flatten(content):
            values[key] = coerce(value, OPTIONS[key].default, key) if key in OPTIONS else value
    return values
