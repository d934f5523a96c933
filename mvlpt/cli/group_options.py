"""How tasks are grouped: the options of ``mvlpt group`` and of an experiment's section ``grouping``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mvlpt.errors import ConfigError, suggest

AFFINITIES = ("grad", "lookahead", "measured")
STEPS = {"grad": 10, "lookahead": 3}  # of joint training, at which affinities are taken
SIMILARITY = "visual=0.5,label=0.5"
_ELSEWHERE = ("file", "trainer")  # keys of the section that do not say how a matrix is grouped


@dataclass(frozen=True)
class GroupOptions:
    """What is grouped by, and under which constraints.

    Attributes:
        similarity: weights of similarities, ``visual=0.5,label=0.5``; used where there is no affinity.
        affinity: ``grad``, ``lookahead`` or ``measured``; ``""`` for none.
        results: results file with pair runs, for ``measured``.
        fit: results file with pair runs that the similarities' weights are fitted to.
        rescale: each similarity is stretched over [0, 1] before they are averaged.
        steps: of joint training for the affinity; ``None`` takes the default.
        method, groups, max_size, max_classes, must_link, cannot_link, threshold, seed: see
            :func:`mvlpt.graph.group_tasks`.
        pictures: draw the graph.

    Raises:
        ConfigError: an unknown affinity, one that lacks its results, an affinity beside a similarity, or an option that
            means nothing beside the others.
    """

    similarity: str = ""
    affinity: str = ""
    results: str = ""
    fit: str = ""
    rescale: bool = True
    steps: int | None = None
    method: str = "auto"
    groups: int | None = None
    max_size: int | None = None
    max_classes: int | None = None
    must_link: tuple[tuple[str, ...], ...] = ()
    cannot_link: tuple[tuple[str, ...], ...] = ()
    threshold: float | None = None
    seed: int = 0
    pictures: bool = True

    def __post_init__(self) -> None:
        if self.affinity and self.affinity not in AFFINITIES:
            raise ConfigError(f"Affinity '{self.affinity}' is unknown{suggest(self.affinity, AFFINITIES)}")
        if self.affinity and (self.similarity or self.fit):
            raise ConfigError(
                "Tasks are grouped by a similarity or by an affinity; give one of --similarity, --affinity"
            )
        if self.affinity == "measured" and not self.results:
            raise ConfigError("Measured affinities are read from pair runs; give --results FILE, their results.jsonl")
        if self.fit and self.similarity:
            raise ConfigError("--fit finds the weights that --similarity would give; give one of them")
        if self.steps is not None and self.steps < 1:
            raise ConfigError(f"--steps is {self.steps}, but affinities are taken at one step or more")
        if self.steps is not None and self.affinity not in STEPS:
            raise ConfigError("--steps is of joint training, for --affinity grad or lookahead; drop it, or add that")
        if self.results and self.affinity != "measured":
            raise ConfigError("--results is read for --affinity measured; drop it, or add that")
        if not self.rescale and (self.affinity or self.fit):
            raise ConfigError("--raw leaves the similarities of --similarity as they are; drop it, or give weights")
        if not self.affinity and not self.similarity and not self.fit:
            object.__setattr__(self, "similarity", SIMILARITY)

    @classmethod
    def from_mapping(cls, section: Mapping[str, Any], pictures: bool = True) -> GroupOptions:
        """The options that an experiment's section ``grouping`` gives.

        Raises:
            ConfigError: an unknown key, or a value that cannot be used.
        """
        known = {field.name for field in fields(cls)}
        chosen: dict[str, Any] = {}
        for key, value in section.items():
            if key in _ELSEWHERE or value is None:
                continue
            if key not in known:
                raise ConfigError(f"grouping.{key} is unknown{suggest(str(key), known)}")
            chosen[key] = value
        if isinstance(chosen.get("similarity"), Mapping):
            chosen["similarity"] = ",".join(f"{name}={weight}" for name, weight in chosen["similarity"].items())
        for key in ("must_link", "cannot_link"):
            if key in chosen:
                chosen[key] = tuple(_link(one, f"grouping.{key}") for one in _listed(chosen[key]))
        return cls(**{"pictures": pictures, **chosen})

    @property
    def taken_steps(self) -> int:
        """Steps of joint training."""
        return self.steps or STEPS.get(self.affinity, 0)

    def constraints(self) -> dict[str, Any]:
        """The arguments of :func:`mvlpt.graph.group_tasks` that say how to group."""
        names = ("method", "groups", "max_size", "max_classes", "must_link", "cannot_link", "threshold", "seed")
        return {name: getattr(self, name) for name in names}


def parse_links(texts: Sequence[str], option: str) -> tuple[tuple[str, ...], ...]:
    """``a+b`` as ``("a", "b")``, for each text.

    Raises:
        ConfigError: a text does not name two tasks.
    """
    return tuple(_link(text, option) for text in texts)


def _listed(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, str) else value


def _link(value: Any, option: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split("+")) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or len(names) < 2 or not all(names):
        raise ConfigError(f"{option} takes two tasks or more, joined by '+' (a+b), not '{value}'")
    return tuple(map(str, names))
