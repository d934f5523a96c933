"""The section ``search`` of an experiment file: how values of options are tried and compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mvlpt.errors import suggest
from mvlpt.io import counted

METHODS = ("grid", "random", "tpe")
SPLITS = ("folds", "val")
RANGE_KEYS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class SearchSettings:
    """How options are chosen.

    Attributes:
        method: ``grid`` tries every combination, ``random`` and ``tpe`` draw ``budget`` of them (Optuna).
        budget: candidates to try for each trainer and arm; 0 for all of a grid, or ten.
        split: ``folds`` of the training images, or ``val``, the validation images.
        folds: parts of the training images; one is left out.
        seed: of the draws.
        options: further options: a list of values, or a range ``{low, high, log, step}``.
    """

    method: str = ""
    budget: int = 0
    split: str = "folds"
    folds: int = 2
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_section(cls, section: Mapping[str, Any]) -> SearchSettings:
        """The settings of a section that :func:`search_problems` found nothing wrong with.

        ``None`` as a value stands for the default.
        """
        return cls(**{key: value for key, value in section.items() if value is not None})


def search_problems(section: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a section ``search``, a sentence each."""
    known = [one.name for one in fields(SearchSettings)]
    for key in section:
        if key not in known:
            yield f"unknown key 'search.{key}'{suggest(str(key), known)}"
    for key, allowed in (("method", METHODS), ("split", SPLITS)):
        value = section.get(key)
        if value is not None and value not in allowed:
            yield f"search.{key} is {value!r}{suggest(str(value), allowed)}"
    for key, least in (("budget", 1), ("folds", 2), ("seed", 0)):
        value = section.get(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and value >= least):
            yield f"search.{key} is {value!r}; give a whole number of at least {least}"
    options = section.get("options") or {}
    if not isinstance(options, Mapping):
        yield f"search.options takes a mapping (KEY: values), not {options!r}"
        return
    for key, value in options.items():
        yield from _values_problems(str(key), value)
        if isinstance(value, Mapping) and section.get("method") == "grid":
            yield f"search.options.{key} is a range, of which a grid has no end; list values, or use method random"


def _values_problems(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        if len(value) < 2:
            yield f"search.options.{key} lists {counted(len(value), 'value')}; list two or more"
        return
    if not isinstance(value, Mapping):
        yield f"search.options.{key} is {value!r}; give a list of values, or a range {{low: ..., high: ...}}"
        return
    for name in value:
        if name not in RANGE_KEYS:
            yield f"unknown key 'search.options.{key}.{name}'{suggest(str(name), RANGE_KEYS)}"
    low, high = (value.get(name) for name in ("low", "high"))
    if not all(_is_number(end) for end in (low, high)) or low >= high:
        yield f"search.options.{key} needs numbers low < high, not {low!r} and {high!r}"
    elif value.get("log") and low <= 0:
        yield f"search.options.{key} is logarithmic, so low must be above 0, not {low!r}"
    elif value.get("log") and value.get("step"):
        yield f"search.options.{key} is logarithmic and has no steps; leave one of log and step out"
    if not isinstance(value.get("log", False), bool):
        yield f"search.options.{key}.log is {value['log']!r}; give true or false"
    step = value.get("step")
    if step is not None and not (_is_number(step) and step > 0):
        yield f"search.options.{key}.step is {step!r}; give a number above 0"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
