"""Which rows of the results are looked at, and which methods are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.arms import ARMS, arm_label
from mvlpt.errors import ConfigError, suggest
from mvlpt.report.results.method import Method

AUXILIARY = tuple(arm.name for arm in ARMS.values() if arm.auxiliary)  # shown on request


@dataclass(frozen=True)
class Selection:
    """What to look at; an empty list takes everything.

    ``trainers`` and ``shots`` choose among what was trained: zero-shot scores stay, as the reference.
    """

    trainers: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    shots: tuple[int, ...] = ()
    metrics: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    def shows(self, method: Method) -> bool:
        """Whether the tables show this method."""
        if method.arm not in self.arms if self.arms else method.arm in AUXILIARY:
            return False
        return method.untrained or self._trains(method)

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows of the methods shown and of what they are compared with: zero-shot, and each task alone.

        Raises:
            ConfigError: a name or number occurs in no row.
        """
        rows = list(rows)
        for field, key in (
            ("trainers", "trainer"),
            ("arms", "arm"),
            ("shots", "shots"),
            ("metrics", "metric"),
            ("splits", "split"),
            ("tasks", "task"),
            ("seeds", "seed"),
        ):
            known = {str(row[key]) for row in rows}
            for value in getattr(self, field):
                if str(value) not in known:
                    raise ConfigError(f"No result has {key} '{value}'{suggest(str(value), known)}")
        return [row for row in rows if self._takes(row)]

    def _takes(self, row: Mapping[str, Any]) -> bool:
        method = Method.of(row)
        wanted = self.shows(method) or method.untrained or (method.arm == "single" and self._trains(method))
        trained_seed = not self.seeds or method.untrained or row["seed"] in self.seeds
        others = ((self.metrics, "metric"), (self.splits, "split"), (self.tasks, "task"))
        return wanted and trained_seed and all(not chosen or row[key] in chosen for chosen, key in others)

    def _trains(self, method: Method) -> bool:
        return (not self.trainers or method.trainer in self.trainers) and (not self.shots or method.shots in self.shots)


def find_method(name: str, methods: Sequence[Method]) -> Method:
    """The only method that has all the parts of ``name``, such as ``MVLPT-VPT/grouped`` or ``MVLPT-VPT/single/4``.

    Raises:
        ConfigError: none or several have.
    """
    parts = [part.strip().lower() for part in re.split("[/,]", name) if part.strip()]
    hits = [method for method in methods if parts and all(part in _names(method) for part in parts)]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise ConfigError(f"'{name}' fits {len(hits)} methods ({'; '.join(map(str, hits))}); add trainer/arm/shots")
    short = ["/".join(map(str, (m.trainer, m.arm, *([] if m.untrained else [m.shots])))) for m in methods]
    raise ConfigError(f"No method of the results fits '{name}'{suggest(name, short)}")


def _names(method: Method) -> set[str]:
    names = {method.trainer, method.arm, arm_label(method.arm)}
    names |= {f"from-{method.start}", arm_label(method.arm, method.start)} if method.start else {method.group}
    names |= {method.variant, *method.variant.split(), *method.variant.split(", ")}
    return {name.lower() for name in names if name} | {str(method.shots), method.shots_word}
