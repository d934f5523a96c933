"""The configuration node: yacs, with unknown keys and wrong types reported together, each with its remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from mvlpt import io
from mvlpt.errors import ConfigError, suggest

# Dassl declares this key as a flag; here it may also name a tag or a file of weights.
FLAG_OR_STRING = {"MODEL.BACKBONE.PRETRAINED"}
LARGEST = 2**24  # bytes of a YAML file of options
BASE = "_BASE_"  # in a YAML file: the file whose options it changes


class Config(CfgNode):
    """A yacs tree whose merges name every unknown key and wrong type at once, and change nothing when one fails."""

    def merge_from_file(self, cfg_filename: str | os.PathLike[str]) -> None:
        """Merges a YAML file, after the one that it names as its ``_BASE_``, if it does.

        Raises:
            ConfigError: the file is missing, is no YAML mapping, is a ``.py`` file, or holds keys or values that
                do not fit.
        """
        for file, content in with_bases(Path(cfg_filename)):
            self._merge_flat(flatten(content), origin=str(file))

    def merge_from_other_cfg(self, cfg_other: CfgNode) -> None:
        """Merges another tree of options."""
        self._merge_flat(flatten(cfg_other), origin="the merged configuration")

    def merge_from_list(self, cfg_list: Sequence[Any], origin: str = "the command line") -> None:
        """Merges ``[KEY, VALUE, KEY, VALUE, ...]``, as written at the end of a command line.

        Args:
            cfg_list: keys and values in turn.
            origin: where errors say that they stand.

        Raises:
            ConfigError: a key has no value, keys or values do not fit, or an option of the program stands among them.
        """
        late = [word for word in cfg_list if isinstance(word, str) and word.startswith("--")]
        if late:
            raise ConfigError(f"The option {late[0]} stands after KEY VALUE; options come before them")
        if len(cfg_list) % 2:
            raise ConfigError(
                f"Overrides come in pairs KEY VALUE; of {len(cfg_list)} words, '{cfg_list[-1]}' has no partner"
            )
        pairs = list(zip(cfg_list[0::2], cfg_list[1::2], strict=True))
        self._merge_flat([(str(key), value) for key, value in pairs], origin)

    def flat(self) -> dict[str, Any]:
        """All options as ``{"OPTIM.LR": 0.002, ...}``, in the order of the tree."""
        return dict(flatten(self))

    def _merge_flat(self, pairs: Sequence[tuple[str, Any]], origin: str) -> None:
        known = self.flat()
        problems, accepted = [], []
        for key, raw in pairs:
            if key not in known:
                problems.append(self._unknown(key, known))
                continue
            try:
                accepted.append((key, coerce(raw, known[key], key)))
            except ConfigError as error:
                problems.append(str(error))
        if problems:
            raise ConfigError(f"In {origin}: " + "; ".join(problems))
        if self.is_frozen():
            raise ConfigError(f"In {origin}: the configuration is frozen; merge before it is built upon")
        for key, value in accepted:
            node: CfgNode = self
            *parents, leaf = key.split(".")
            for parent in parents:
                node = node[parent]
            node[leaf] = value

    @staticmethod
    def _unknown(key: str, known: Mapping[str, Any]) -> str:
        inner = [name for name in known if name.startswith(key + ".")]
        if inner:
            return f"{key} is a section, not an option; set for instance {inner[0]}"
        return f"unknown key {key}{suggest(key, known)}"


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping in a YAML file; ``{}`` for an empty file.

    Raises:
        ConfigError: missing, unreadable, not a mapping, or a ``.py`` file, which yacs would execute.
    """
    file = Path(path)
    if file.suffix == ".py":
        raise ConfigError(f"{file}: a .py config would be executed and is refused; write the options as YAML")
    missing = f"No config file at {file}; see configs/ for those that are shipped"
    content = io.read_yaml(file, largest=LARGEST, missing=missing, remedy="correct the file")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold sections of options (KEY: value), not a {type(content).__name__}")
    return content


def with_bases(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """A YAML file and, before it, the files it builds on: ``_BASE_: other.yaml``, relative to its own folder.

    Raises:
        ConfigError: a file cannot be read, or files name each other in a circle.
    """
    chain: list[tuple[Path, dict[str, Any]]] = []
    while path is not None:
        if path.resolve() in [file.resolve() for file, _ in chain]:
            raise ConfigError(f"{path} builds on itself by its _BASE_")
        content = read_yaml(path)
        base = content.pop(BASE, None)
        chain.insert(0, (path, content))
        path = None if base is None else path.parent / str(base)
    return chain


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``{"OPTIM": {"LR": 1}}`` as ``[("OPTIM.LR", 1)]``."""

    def walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
        for key, value in node.items():
            name = f"{path}.{key}" if path else str(key)
            if isinstance(value, Mapping):
                yield from walk(value, name)
            else:
                yield name, value

    return list(walk(tree, prefix))


def coerce(value: Any, default: Any, key: str) -> Any:
    """``value`` as the type of the option's default.

    Text from a command line or YAML is read as a Python literal where it is one (``1e-5``, ``(48, 48)``). Integers
    serve where a float is expected; lists and tuples serve for each other.

    Raises:
        ConfigError: the types differ; the message names key, value and expected type.
    """
    literal = CfgNode._decode_cfg_value(value)
    if key in FLAG_OR_STRING:
        return literal if isinstance(literal, bool) else str(value)
    if isinstance(default, str):
        return value if isinstance(value, str) else _mismatch(key, value, "a string")
    if isinstance(default, bool):
        return literal if isinstance(literal, bool) else _mismatch(key, value, "True or False")
    if isinstance(default, int):
        whole = isinstance(literal, int) and not isinstance(literal, bool)
        return literal if whole else _mismatch(key, value, "a whole number")
    if isinstance(default, float):
        number = isinstance(literal, (int, float)) and not isinstance(literal, bool)
        return float(literal) if number else _mismatch(key, value, "a number")
    if isinstance(default, (list, tuple)):
        if isinstance(literal, str):
            literal = [part.strip() for part in literal.split(",") if part.strip()]
        return type(default)(literal) if isinstance(literal, (list, tuple)) else _mismatch(key, value, "a list")
    return literal


def _mismatch(key: str, value: Any, expected: str) -> Any:
    raise ConfigError(f"{key} takes {expected}, not {value!r}")
