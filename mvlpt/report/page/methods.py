"""What several sections say of methods: names, references, gains."""

from __future__ import annotations

from collections.abc import Sequence

from mvlpt.arms import arm_label
from mvlpt.io import clean_text
from mvlpt.report.results import Method, ResultsTable, shots_word

LONGEST = 60  # characters of a name
LONGEST_VARIANT = 120  # characters of the options that tell runs apart
SHARED = ("grouped", "chosen", "adapted", "all", "transfer")  # arms that share, the one that a report is about first


def trainers(table: ResultsTable) -> list[tuple[str, int]]:
    """Each trainer and number of shots that is shown, in order; without the untrained model."""
    return list(dict.fromkeys((m.trainer, m.shots) for m in table.methods if not m.untrained))


def arm_name(method: Method) -> str:
    """The arm of a method, with the group or the arm that it starts from, and the options that tell it apart."""
    label = arm_label(method.arm, method.start)
    arm = label if method.start else f"{label} {method.group}".strip()
    return f"{clean_text(arm, LONGEST)} {clean_text(method.variant, LONGEST_VARIANT)}".strip()


def trainer_name(trainer: str, shots: int, table: ResultsTable) -> str:
    """A trainer, with its shots where there are several."""
    several = len({m.shots for m in table.methods if not m.untrained}) > 1
    shown = clean_text(trainer, LONGEST)
    return f"{shown}, {shots_word(shots)}" if several else shown


def short_name(method: Method, table: ResultsTable) -> str:
    """A method in one line."""
    if method.untrained:
        return f"zero-shot {arm_name(method)}" if method.half else arm_name(method)
    return f"{trainer_name(method.trainer, method.shots, table)} {arm_name(method)}"


def find(table: ResultsTable, trainer: str, shots: int, arm: str, variant: str = "") -> Method | None:
    """The method of a trainer in an arm; of several that with the same options, or else the first."""
    same = [m for m in table.methods if (m.trainer, m.shots, m.arm) == (trainer, shots, arm)]
    return min(same, key=lambda m: m.variant != variant, default=None)


def focus(table: ResultsTable, trainer: str, shots: int) -> Method | None:
    """The method whose gains a report shows: the first shared one, or else what is trained alone."""
    single = find(table, trainer, shots, "single")
    for arm in SHARED:
        method = find(table, trainer, shots, arm)
        if method is not None and not (single and _equal(table, method, single)):
            return method
    return single


def _equal(table: ResultsTable, one: Method, other: Method) -> bool:
    """Whether two methods have the same scores, as where every group has one task."""
    tasks = table.scores.common_tasks((one, other))
    return bool(tasks) and all(table.scores.values[one, task] == table.scores.values[other, task] for task in tasks)


def references(table: ResultsTable, method: Method) -> list[Method]:
    """What a method is compared with: each task alone, all tasks together, the untrained model."""
    found = [find(table, method.trainer, method.shots, arm, method.variant) for arm in ("single", "all")]
    return [one for one in (*found, table.zero_shot) if one is not None and one != method]


def compared(methods: Sequence[Method]) -> list[Method]:
    """The methods among which one may be the best: those tested on all classes, or else on new, or on base ones."""
    halves = {method.half for method in methods}
    half = next((one for one in ("", "new", "base") if one in halves), "")
    return [method for method in methods if method.half == half]


def best(table: ResultsTable) -> Method | None:
    """The method with the highest mean over the tasks that all have; ``None`` where means do not compare.

    Only methods that are tested on the same classes are compared: on all of them, or else on new ones.
    """
    if not table.common or len({table.scores.higher_is_better[task] for task in table.common}) > 1:
        return None
    sign = 1 if table.scores.higher_is_better[table.common[0]] else -1
    some = compared(table.methods)
    known = [row for row in table.summaries if row.overall is not None and row.method in some]
    return max(known, key=lambda row: sign * row.overall.mean).method if known else None


def best_on(table: ResultsTable, methods: Sequence[Method], task: str) -> Method | None:
    """The method with the best score on a task."""
    sign = 1 if table.scores.higher_is_better[task] else -1
    known = compared([m for m in methods if (m, task) in table.scores.values])
    return max(known, key=lambda m: sign * table.scores.mean(m, task)) if known else None
