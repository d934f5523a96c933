"""How tasks are grouped: the options of ``mvlpt group`` and of the section ``grouping`` in an experiment file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import ConfigError, suggest
from mvlpt.experiment.grouping.option_fields import (
    LINKS,
    NUMBER,
    STRING,
    SWITCH,
    WEIGHTS,
    WHOLE,
    OptionField,
    option,
    option_fields,
    section_problems,
)
from mvlpt.graph import SIMILARITIES
from mvlpt.graph.grouping import METHODS
from mvlpt.graph.similarity import DERIVED

AFFINITIES = ("grad", "lookahead", "panda", "measured")
COSINES = ("panda",)  # affinities that are cosines: symmetric, and 0 means nothing, so they group as similarities do
CHOOSE = "choose"  # the method that trains on folds
BUDGETS = ("budget", "budget_seconds", "budget_runs")  # of the method choose
UNCHOSEN = ("similarity", "fit", "rescale", "groups", "threshold", "seed")  # what the method choose tries itself
STEPS = {"grad": 10, "lookahead": 3, "panda": 30}  # of training, joint or, for panda, on each task
SIMILARITY = "visual.centred"  # docs/groups.md says how it was found
MATRIX, GROUPS, OUTPUT = "grouped by", "into groups", "output"  # headings of the help


@dataclass(frozen=True)
class GroupingOptions:
    """What tasks are grouped by, and under which constraints; each field's ``help`` describes it.

    The fields are the keys of an experiment's section ``grouping`` and, with their flags, options of ``mvlpt group``.

    Raises:
        ConfigError: an unknown affinity, one that lacks its results, an affinity beside a similarity, or an option that
            has no effect beside the others.
    """

    similarity: str = option(
        "",
        WEIGHTS,
        f"weights of {', '.join((*SIMILARITIES, *DERIVED))} (default: {SIMILARITY}); docs/graph.md",
        flag="--similarity",
        metavar="W",
        heading=MATRIX,
    )
    rescale: bool = option(
        True, SWITCH, "average similarities as they are, not rescaled to [0, 1]", flag="--raw", heading=MATRIX
    )
    fit: str = option(
        "", STRING, "fit the weights to the pair runs of a results file", flag="--fit", metavar="JSONL", heading=MATRIX
    )
    affinity: str = option(
        "",
        STRING,
        "how training on one task changes another instead",
        flag="--affinity",
        metavar="|".join(AFFINITIES),
        heading=MATRIX,
    )
    trainer: str = option(
        "",
        STRING,
        "the trainer whose prompt affinities are measured with; default: that of the config file",
        flag="--trainer",
        heading=MATRIX,
    )
    steps: int | None = option(
        None,
        WHOLE,
        f"of training for an affinity (default: {', '.join(f'{key} {value}' for key, value in STEPS.items())})",
        flag="--steps",
        metavar="N",
        heading=MATRIX,
        minimum=1,
    )
    results: str = option(
        "", STRING, "pair runs, for --affinity measured", flag="--results", metavar="JSONL", heading=MATRIX
    )
    method: str = option(
        "auto",
        STRING,
        f"one of {', '.join(METHODS)} (default: auto); docs/grouping.md; or choose: docs/choosing.md",
        flag="--method",
        metavar="NAME",
        heading=GROUPS,
    )
    groups: int | None = option(
        None, WHOLE, "this many groups", flag="--groups", metavar="N", heading=GROUPS, minimum=1
    )
    max_size: int | None = option(
        None, WHOLE, "at most N tasks in a group", flag="--max-size", metavar="N", heading=GROUPS, minimum=1
    )
    max_classes: int | None = option(
        None, WHOLE, "at most N classes in a group", flag="--max-classes", metavar="N", heading=GROUPS, minimum=1
    )
    must_link: tuple[tuple[str, ...], ...] = option(
        (), LINKS, "tasks that share a group", flag="--must-link", metavar="A+B", heading=GROUPS
    )
    cannot_link: tuple[tuple[str, ...], ...] = option(
        (), LINKS, "tasks that do not", flag="--cannot-link", metavar="A+B", heading=GROUPS
    )
    threshold: float | None = option(
        None,
        NUMBER,
        "the value from which on a pair should share a group",
        flag="--threshold",
        metavar="S",
        heading=GROUPS,
    )
    seed: int = option(0, WHOLE, "of methods that draw at random", flag="--grouping-seed", metavar="N", heading=GROUPS)
    budget: float | None = option(
        None, NUMBER, "what method choose may spend on estimates, as a share of the cost of all arms (default: 0.25)"
    )
    budget_seconds: float | None = option(
        None, NUMBER, "instead of budget: seconds of one slot, spent on what is expected to improve most for its time"
    )
    budget_runs: int | None = option(
        None, WHOLE, "instead of budget: a number of runs, spent in the same way", minimum=1
    )
    folds: int | None = option(
        None, WHOLE, "parts of the training images, of which method choose leaves out one (default: 2)", minimum=2
    )
    pictures: bool = option(True, SWITCH, "draw nothing", flag="--no-pictures", heading=OUTPUT)
    file: str = option("", STRING, "a groups.yaml with the groups, which are then not computed")

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
            raise ConfigError("--steps is of training for --affinity grad, lookahead or panda; drop it, or add that")
        if self.results and self.affinity != "measured":
            raise ConfigError("--results is read for --affinity measured; drop it, or add that")
        if not self.rescale and (self.affinity or self.fit):
            raise ConfigError("--raw leaves the similarities of --similarity as they are; drop it, or give weights")
        self._check_budgets()
        if not self.affinity and not self.similarity and not self.fit:
            object.__setattr__(self, "similarity", SIMILARITY)

    def _check_budgets(self) -> None:
        """Checks the options of the method ``choose``.

        Raises:
            ConfigError: one is given for another method, two budgets are given, or one is not above 0.
        """
        given = [key for key in BUDGETS if getattr(self, key) is not None]
        if not self.chooses and (given or self.folds is not None):
            raise ConfigError(
                "grouping.budget and grouping.folds are of method choose; drop them, or set method: choose"
            )
        if len(given) > 1:
            raise ConfigError(f"grouping has {' and '.join(given)}; give one budget")
        wanted = {"budget": "a share of the cost of all arms", "budget_seconds": "seconds", "budget_runs": "runs"}
        for key in given:
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"grouping.{key} is {value}; give {wanted[key]}, above 0")

    @property
    def measures(self) -> bool:
        """Whether a budget or folds are given, so that prompts are trained on folds whatever the folds are."""
        return any(value is not None for value in (self.budget, self.budget_seconds, self.budget_runs, self.folds))

    @classmethod
    def from_section(cls, section: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> GroupingOptions:
        """The options that an experiment's section ``grouping`` gives.

        Args:
            section: keys are names of fields; ``None`` as a value stands for the default.
            given: options that replace those of the section. What is grouped by is one choice: a similarity, an
                affinity or a fit replaces the similarity or affinity of the section, and another method the budget of
                the method ``choose``.

        Raises:
            ConfigError: an unknown key, or a value that cannot be used.
        """
        section, given = dict(section), given or {}
        if any(given.get(key) for key in ("similarity", "affinity", "fit")):
            for key in ("similarity", "affinity"):
                section.pop(key, None)
        if given.get("method") not in (None, CHOOSE):
            for key in (*BUDGETS, "folds"):
                section.pop(key, None)
        known = {one.name: one for one in GROUPING_OPTIONS}
        values = {}
        for key, value in {**section, **given}.items():
            if key not in known:
                raise ConfigError(f"grouping.{key} is unknown{suggest(str(key), known)}")
            if value is not None:
                values[key] = known[key].checked(value, "grouping.")
        return cls(**values)

    @property
    def chooses(self) -> bool:
        """Whether what each task shares is chosen by estimates from training runs, not by a matrix."""
        return self.method == CHOOSE

    @property
    def affinity_steps(self) -> int:
        """Steps of the training that an affinity is taken from."""
        return self.steps or STEPS.get(self.affinity, 0)

    def constraints(self) -> dict[str, Any]:
        """The arguments of :func:`mvlpt.graph.group_tasks` that say how to group."""
        given = {one.name: getattr(self, one.name) for one in GROUPING_OPTIONS if one.heading == GROUPS}
        return {**given, "method": "auto"} if self.chooses else given


GROUPING_OPTIONS: tuple[OptionField, ...] = option_fields(GroupingOptions)


def grouping_problems(section: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each key and value of an experiment's section ``grouping`` that cannot be used."""
    if section.get("similarity") and section.get("affinity"):
        yield "grouping names a similarity and an affinity; tasks are grouped by one of them"
    found = list(section_problems(GROUPING_OPTIONS, section, "grouping."))
    method = section.get("method") or "auto"
    if isinstance(method, str) and method not in (*METHODS, CHOOSE):
        found.append(f"grouping.method '{method}' is unknown{suggest(method, (*METHODS, CHOOSE))}")
    if method == CHOOSE:
        given = [key for key in UNCHOSEN if section.get(key) is not None]
        found += [f"grouping.{key} has no effect with method choose; drop it" for key in given]
        found += [] if found else _refusal(section)
    yield from found


def _refusal(section: Mapping[str, Any]) -> list[str]:
    """Why options do not go together, if they do not."""
    try:
        GroupingOptions.from_section(section)
    except ConfigError as error:
        return [str(error)]
    return []
