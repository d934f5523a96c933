"""One option of the configuration, declared once: default, help, what it may be, whether results depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import suggest


@dataclass(frozen=True)
class Option:
    """One key of the configuration.

    Attributes:
        key: its full name, such as ``OPTIM.LR``.
        default: its value where nothing is given; its type is the option's type.
        help: one sentence for people.
        choices: the values allowed; empty for any value of the type.
        minimum: the smallest number allowed; ``None`` for any.
        maximum: the largest number allowed; ``None`` for any.
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
        if self.minimum is not None and value < self.minimum:
            return f"{self.key} is {value}, but must be at least {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"{self.key} is {value}, but must be at most {self.maximum}"
        return ""


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
