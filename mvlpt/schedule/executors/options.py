"""Options of executors: frozen dataclasses that are filled from ``--executor-option KEY=VALUE``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from mvlpt.errors import ScheduleError, suggest

T = TypeVar("T")

_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class NoOptions:
    """For executors without options."""


def read_options(kind: Callable[..., T], given: Mapping[str, Any], executor: str) -> T:
    """Options from strings or values.

    Args:
        kind: one of the dataclasses of this module.
        given: option to value; strings are read as the option's type, and ``None`` stands for the default.
        executor: its name, for messages.

    Raises:
        ScheduleError: an unknown option, or a value that is not of its type or out of bounds.
    """
    kinds = {field.name: type(field.default) for field in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in kinds:
            raise ScheduleError(f"The {executor} executor has no option '{name}'{suggest(name, kinds)}")
        if value is not None:
            values[name] = _as(kinds[name], value, f"{executor}: {name}")
    return kind(**values)


def pairs(text: str, name: str, between: str, after: str) -> dict[str, str]:
    """``a=1;b=2`` as a dictionary.

    Raises:
        ScheduleError: a part lacks its name or its value.
    """
    found = {}
    for part in filter(None, (word.strip() for word in text.split(after))):
        key, sign, value = part.partition(between)
        if not sign or not key.strip() or not value.strip():
            raise ScheduleError(f"{name}: '{part}' is not of the form NAME{between}VALUE")
        found[key.strip()] = value.strip()
    return found


def _as(kind: type, value: Any, name: str) -> Any:
    text = str(value).strip()
    if kind is bool:
        if text.lower() not in _SWITCH:
            raise ScheduleError(f"{name}={text} is neither true nor false")
        return _SWITCH[text.lower()]
    if kind is str:
        return text
    try:
        number = kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise ScheduleError(f"{name}={text} is not {wanted}") from None
    if not math.isfinite(number):
        raise ScheduleError(f"{name}={text} is not finite")
    return number


def require_at_least(executor: str, options: Any, **bounds: float) -> None:
    """Checks lower bounds of options, given as ``name=bound``.

    Raises:
        ScheduleError: a value is below its bound.
    """
    for name, bound in bounds.items():
        value = getattr(options, name)
        if value < bound:
            raise ScheduleError(f"{executor}: {name}={value} is too small; give {bound} or more")
