"""One option of the configuration, declared once: default, help, what it may be, whether results depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import suggest

_KINDS = {  # of one value, and of several
    bool: ("True or False", ""),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a string", "strings"),
}


@dataclass(frozen=True)
class Option:
    """One key of the configuration.

    Attributes:
        key: its full name, such as ``OPTIM.LR``.
        default: its value where nothing is given; its type is the option's type.
        help: one sentence for people.
        choices: the values allowed; empty for any value of the type.
        minimum: the smallest number allowed, of each value in a list; ``None`` for any.
        maximum: the largest number allowed, likewise.
        length: how many values a list has; ``None`` for any number.
        affects_results: whether two runs that differ in it may differ in their results. An option that does not is no
            part of a run's identity: a run may be resumed with another value of it.
        pinned: results do not depend on it, but version 0.1.0 had it in a run's identity. There it counts with its
            default, whatever its value, so that identities stay what they were.
        ours: known to this framework only, not to Dassl and not to the paper's code.
        since: the version that added it; empty for 0.1.0. At its default such an option is no part of a run's identity,
            so that runs and plans of older versions, which do not know it, are the same runs still.
    """

    key: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    length: int | None = None
    affects_results: bool = True
    pinned: bool = False
    ours: bool = False
    since: str = ""

    def identifies(self, value: Any) -> bool:
        """Whether a value of this option is part of a run's identity."""
        return (self.affects_results or self.pinned) and not (self.since and value == self.default)

    def problem(self, value: Any) -> str:
        """What is wrong with a value of the right type, as part of a sentence; empty if nothing is."""
        if self.choices and value not in self.choices:
            return f"{self.key} is '{value}'{suggest(str(value), [choice for choice in self.choices if choice])}"
        if isinstance(self.default, (list, tuple)) and not self._holds(value):
            return f"{self.key} is {value}, but must be {self.kind}"
        if self.minimum is None and self.maximum is None:
            return ""
        several = isinstance(value, (list, tuple))
        values, must = (value, "each value must") if several else ((value,), "must")
        if self.minimum is not None and min(values) < self.minimum:
            return f"{self.key} is {value}, but {must} be at least {self.minimum}"
        if self.maximum is not None and max(values) > self.maximum:
            return f"{self.key} is {value}, but {must} be at most {self.maximum}"
        return ""

    @property
    def kind(self) -> str:
        """What its values are, as part of a sentence: ``a whole number``, ``a list of 2 whole numbers``."""
        if not isinstance(self.default, (list, tuple)):
            return _KINDS[type(self.default)][0]
        count = "" if self.length is None else f"{self.length} "
        return f"a list of {count}{_KINDS[type(self.default[0])][1]}" if self.default else "a list"

    def _holds(self, value: Any) -> bool:
        """Whether a value is a list of as many values as it takes, each of the type of those in its default."""
        if not isinstance(value, (list, tuple)) or self.length not in (None, len(value)):
            return False
        return not self.default or all(_alike(one, self.default[0]) for one in value)


def _alike(value: Any, default: str | int | float) -> bool:
    """Whether a value is a string where the default is one, or else a finite number, a whole one where that is."""
    if isinstance(default, str):
        return isinstance(value, str)
    numbers = (int, float) if isinstance(default, float) else int
    return isinstance(value, numbers) and not isinstance(value, bool) and abs(value) < 2**63


class Section:
    """Declares the options of one section of the tree, in order.

    Args:
        prefix: the section's name, such as ``OPTIM``; empty for the root.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = f"{prefix}." if prefix else ""
        self._options: list[Option] = []

    def add(self, name: str, default: Any, help: str, **details: Any) -> None:
        """Declares ``PREFIX.name``; the details are those of :class:`Option`."""
        self._options.append(Option(self._prefix + name, default, help, **details))

    def __iter__(self) -> Iterator[Option]:
        return iter(self._options)
