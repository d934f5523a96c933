"""Values of options: trees as flat mappings, and strings read as the type of an option."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

from mvlpt.errors import ConfigError
from mvlpt.io import short_repr

# Dassl declares this key as a flag; here it may also name a tag or a file of weights.
LONGEST_LITERAL = 100_000  # characters; a longer string is a string
FLAG_OR_STRING = {"MODEL.BACKBONE.PRETRAINED"}
PLAIN = (str, int, float, tuple, list)  # most values; asking whether one is a Mapping takes much longer


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``{"OPTIM": {"LR": 1}}`` as ``[("OPTIM.LR", 1)]``."""

    found: list[tuple[str, Any]] = []

    def walk(node: Mapping[str, Any], path: str) -> None:
        for key, value in node.items():
            name = f"{path}.{key}" if path else str(key)
            if not isinstance(value, PLAIN) and isinstance(value, Mapping):
                walk(value, name)
            else:
                found.append((name, value))

    walk(tree, prefix)
    return found


def coerce(value: Any, default: Any, key: str) -> Any:
    """``value`` as the type of the option's default.

    Text from a command line or YAML is read as a Python literal where it is one (``1e-5``, ``(48, 48)``). Integers
    serve where a float is expected; lists and tuples serve for each other.

    Raises:
        ConfigError: the types differ; the message names key, value and expected type.
    """
    literal = _literal(value, key)
    if key in FLAG_OR_STRING:
        return literal if isinstance(literal, bool) else str(value)
    if isinstance(default, str):
        return value if isinstance(value, str) else _mismatch(key, value, "a string")
    if isinstance(default, bool):
        return literal if isinstance(literal, bool) else _mismatch(key, value, "True or False")
    if isinstance(default, int):
        whole = isinstance(literal, int) and not isinstance(literal, bool) and literal.bit_length() < 64
        return literal if whole else _mismatch(key, value, "a whole number")
    if isinstance(default, float):
        if isinstance(literal, bool) or not isinstance(literal, (int, float)):
            return _mismatch(key, value, "a number")
        return float(literal) if _is_finite(literal) else _mismatch(key, value, "a finite number")
    if isinstance(default, (list, tuple)):
        if isinstance(literal, str):
            literal = [part.strip() for part in literal.split(",") if part.strip()]
        return type(default)(literal) if isinstance(literal, (list, tuple)) else _mismatch(key, value, "a list")
    return literal


def _mismatch(key: str, value: Any, expected: str) -> Any:
    raise ConfigError(f"{key} takes {expected}, not {short_repr(value)}")


def _literal(value: Any, key: str) -> Any:
    """A string as the Python literal that it spells, if it spells one."""
    if isinstance(value, str) and len(value) > LONGEST_LITERAL:
        return value
    try:
        return CfgNode._decode_cfg_value(value)
    except (RecursionError, MemoryError):  # as the parser reports deep nesting
        return _mismatch(key, value, "a value that is not nested so deeply")


def _is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
