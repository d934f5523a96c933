"""Everything the tables of results show, as data: cells, means, gains, ranks, tests and notes.

``docs/results.md`` gives the formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import RunFolderError
from mvlpt.report.results.comparisons import Comparison, compare_methods, default_pairs, named_pair, untrained
from mvlpt.report.results.method import Method
from mvlpt.report.results.notes import notes_on, small_tests
from mvlpt.report.results.scores import Scores
from mvlpt.report.results.selection import AUXILIARY, Selection
from mvlpt.report.results.split import one_split
from mvlpt.report.results.summary import Cell, average
from mvlpt.report.results.variants import label_variants


@dataclass(frozen=True)
class MethodSummary:
    """One method over the tasks that all shown methods have; where there is none, over its own, without a rank.

    Attributes:
        method: which.
        overall: mean over tasks and seeds, deviation over seeds; ``None`` if it does not exist.
        by_group: the same for the tasks of each group.
        over_zero_shot: mean gain over the zero-shot method, points; ``None`` for itself and if there is none.
        over_single: mean gain over the same trainer tuned for each task alone; ``None`` for half of the classes.
        rank: average rank over tasks among the methods shown that are tested on the same classes; 1 is best, equal
            scores share their ranks.
    """

    method: Method
    overall: Cell | None
    by_group: Mapping[str, Cell | None]
    over_zero_shot: float | None
    over_single: float | None
    rank: float | None


@dataclass(frozen=True)
class ResultsTable:
    """What :func:`results_table` found.

    Attributes:
        scores: all values looked at, the references' too.
        methods: those shown.
        tasks: those shown; by group where there are groups.
        groups: task to the name of its group; empty without groups.
        common: the tasks that all shown methods have.
        zero_shot: the reference of the gains, if there is exactly one.
        summaries: one for each method shown.
        comparisons: the paired tests.
        notes: what affects how the table reads, a sentence each.
    """

    scores: Scores
    methods: tuple[Method, ...]
    tasks: tuple[str, ...]
    groups: Mapping[str, str]
    common: tuple[str, ...]
    zero_shot: Method | None
    summaries: tuple[MethodSummary, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def group_names(self) -> tuple[str, ...]:
        """In the order in which ``groups`` names them."""
        return tuple(dict.fromkeys(self.groups.values()))

    def single(self, method: Method) -> Method | None:
        """The same trainer and shots tuned for each task alone; ``None`` for itself and if there is none."""
        return _single(self.scores, method)

    def untrained(self, method: Method) -> Method | None:
        """The untrained model on the same classes; ``None`` for itself and if there is none."""
        return untrained(self.scores, method, self.zero_shot)

    def cell(self, method: Method, task: str) -> Cell | None:
        """Mean and deviation over seeds of one method on one task."""
        return average(self.scores, method, (task,))


def results_table(
    rows: Iterable[Mapping[str, Any]],
    *,
    groups: Mapping[str, str] | None = None,
    select: Selection | None = None,
    split_groups: bool = False,
    compare: Sequence[tuple[str, str]] | None = None,
) -> ResultsTable:
    """Works out all tables: of test scores, or of validation scores where there are no others.

    Args:
        rows: lines of ``results.jsonl``.
        groups: task to a group of tasks (looks, domains, ...), for means over each; tasks without one count among all.
        select: what to look at.
        split_groups: separate the groups that prompts were trained on, such as the sources of a transfer study.
        compare: pairs of methods to test, as :func:`find_method` reads them; by default each method shown against
            zero-shot, and the arms of a trainer against each other.

    Raises:
        RunFolderError: rows contradict each other, or no score is left.
        ConfigError: the selection or a pair names something that has no scores.
    """
    select, rows = select or Selection(), label_variants(rows)
    chosen, left_out = one_split(select.rows(rows), select.splits)
    scores = Scores.of(chosen, split_groups)
    methods = tuple(method for method in scores.methods if select.shows(method))
    if not methods:
        raise RunFolderError(_no_scores(rows, select))
    groups = {task: name for task, name in (groups or {}).items() if task in scores.tasks}
    shown = [task for task in scores.tasks if any((method, task) in scores.values for method in methods)]
    common = scores.common_tasks(methods)
    zero_shots = [method for method in scores.methods if method.zero_shot]
    zero_shot = zero_shots[0] if len(zero_shots) == 1 else None
    if compare is None:
        pairs = default_pairs(scores, methods, zero_shot)
    else:
        pairs = [named_pair(scores, one, other) for one, other in compare]
    comparisons = compare_methods(scores, pairs)
    notes = notes_on(scores, methods, shown, common, zero_shots)
    notes += small_tests([one.test for one in comparisons])
    if left_out:
        named = "; ".join(map(str, left_out))
        notes.append(f"Without test scores, so left out: {named}; --split val shows validation scores")
    return ResultsTable(
        scores=scores,
        methods=methods,
        tasks=tuple(_by_group(shown, groups)),
        groups=groups,
        common=common,
        zero_shot=zero_shot,
        summaries=_summaries(scores, methods, groups, common, zero_shot),
        comparisons=comparisons,
        notes=tuple(notes),
    )


def _no_scores(rows: Iterable[Mapping[str, Any]], select: Selection) -> str:
    hidden = [] if select.arms else sorted({row["arm"] for row in rows} & set(AUXILIARY))
    if hidden:
        return f"The results hold scores of the arm '{hidden[0]}' only; name it with --arm"
    return "The results hold no score of what was asked for; has a run of it finished?"


def _summaries(
    scores: Scores,
    methods: Sequence[Method],
    groups: Mapping[str, str],
    common: Sequence[str],
    zero_shot: Method | None,
) -> tuple[MethodSummary, ...]:
    halves = dict.fromkeys(method.half for method in methods)
    ranks = {}
    for half in halves:
        ranks |= _average_ranks(scores, [method for method in methods if method.half == half], common)
    summaries = []
    for method in methods:
        over = common or scores.tasks_of(method)
        by_group = {
            name: average(scores, method, [task for task in over if groups.get(task) == name])
            for name in dict.fromkeys(groups.values())
        }
        summaries.append(
            MethodSummary(
                method=method,
                overall=average(scores, method, over),
                by_group=by_group,
                over_zero_shot=_mean_gain(scores, method, untrained(scores, method, zero_shot), over),
                over_single=_mean_gain(scores, method, _single(scores, method), over),
                rank=ranks.get(method),
            )
        )
    return tuple(summaries)


def _by_group(tasks: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    names = list(dict.fromkeys(groups.values()))
    return sorted(tasks, key=lambda task: (names.index(groups[task]) if task in groups else len(names), task))


def _single(scores: Scores, method: Method) -> Method | None:
    if method.arm == "single" or method.zero_shot or method.half:
        return None
    singles = [Method(method.trainer, "single", method.shots, variant=one) for one in (method.variant, "")]
    return next((single for single in singles if single in scores.methods), None)


def _mean_gain(scores: Scores, method: Method, other: Method | None, tasks: Sequence[str]) -> float | None:
    if other is None:
        return None
    gains = [gain for task in tasks if (gain := scores.gain(method, other, task)) is not None]
    return float(np.mean(gains)) if gains else None


def _average_ranks(scores: Scores, methods: Sequence[Method], tasks: Sequence[str]) -> dict[Method, float]:
    """Ranks of means over seeds, 1 for the best; equal methods share the mean of their ranks."""
    from scipy.stats import rankdata

    if not tasks:
        return {}
    signs = np.array([-1.0 if scores.higher_is_better[task] else 1.0 for task in tasks])
    values = np.array([[scores.mean(method, task) for task in tasks] for method in methods])
    ranks = rankdata(np.round(values, 9) * signs, axis=0).mean(axis=1)
    return dict(zip(methods, map(float, ranks), strict=True))
