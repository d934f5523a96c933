"""Notes below a table: missing scores, unequal seeds, replaced test splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mvlpt.io import counted, listed
from mvlpt.report.results.method import Method
from mvlpt.report.results.paired_test import SMALL, PairedTest
from mvlpt.report.results.scores import Scores

NAMED = 8  # more names than this are counted


def notes_on(
    scores: Scores,
    methods: Sequence[Method],
    tasks: Sequence[str],
    common: Sequence[str],
    zero_shots: Sequence[Method],
) -> list[str]:
    """One sentence for each thing; see :class:`mvlpt.report.results.table.ResultsTable` for the arguments."""
    return [
        *_missing_scores(scores, methods, tasks, common),
        *_seeds(scores, methods),
        *_missing_seeds(scores, methods, tasks),
        *_measures(scores, tasks),
        *_reference(scores, methods, common, zero_shots),
    ]


def small_tests(tests: Sequence[PairedTest]) -> list[str]:
    """What so few tasks cannot show; one sentence for all tests."""
    counts = sorted({test.nonzero for test in tests if 0 < test.nonzero < SMALL})
    if not counts:
        return []
    bounds = ", ".join(f"with {count} p is at least {2 / 2**count:.3g}" for count in counts)
    which = "All tests" if all(test.nonzero < SMALL for test in tests) else "Some tests"
    return [f"{which} rest on few tasks that differ: {bounds}"]


def _missing_scores(
    scores: Scores, methods: Sequence[Method], tasks: Sequence[str], common: Sequence[str]
) -> list[str]:
    notes = []
    for method in methods:
        absent = [task for task in tasks if (method, task) not in scores.values]
        if absent:
            notes.append(f"{method}: no score on {len(absent)} of {len(tasks)} tasks ({listed(absent, NAMED)})")
    if len(notes) > NAMED:
        notes = [*notes[:NAMED], f"{len(notes) - NAMED} more methods lack scores"]
    if not common:
        notes.append(
            "No task has a score of every method: means are over each method's own tasks and do not compare;"
            " choose methods with --arm, or tasks with --task"
        )
    elif len(common) < len(tasks):
        over = counted(len(common), "task")
        notes.append(f"Means, gains and ranks are over the {over} that every method has")
    return notes


def _seeds(scores: Scores, methods: Sequence[Method]) -> list[str]:
    by_method = {method: scores.seeds(method) for method in methods if not method.untrained}
    listed = {method: ", ".join(map(str, seeds)) for method, seeds in by_method.items()}
    if len(set(by_method.values())) > 1:
        most = Counter(listed.values()).most_common(1)[0][0]
        if len(listed) > NAMED:  # those that differ from most
            some = [f"{method}: {seeds}" for method, seeds in listed.items() if seeds != most]
            more = [f"{len(some) - NAMED} more methods"] * (len(some) > NAMED)
            return [f"The seeds differ: {most} for most methods; " + "; ".join([*some[:NAMED], *more])]
        return ["The seeds differ: " + "; ".join(f"{method}: {seeds}" for method, seeds in listed.items())]
    if any(len(seeds) == 1 for seeds in by_method.values()):
        return ["One seed only: there is no deviation"]
    return []


def _missing_seeds(scores: Scores, methods: Sequence[Method], tasks: Sequence[str]) -> list[str]:
    notes = []
    for method in methods:
        seeds = set(scores.seeds(method))
        uneven = [
            f"{task}: {', '.join(map(str, sorted(seeds - set(held))))}"
            for task in tasks
            if (held := scores.values.get((method, task))) and set(held) != seeds
        ]
        if uneven:
            notes.append(
                f"{method}: tasks lack seeds ({listed(uneven, NAMED)}); their means are over the seeds there are"
            )
    return notes


def _measures(scores: Scores, tasks: Sequence[str]) -> list[str]:
    notes = []
    replaced = [task for task in tasks if scores.split[task] == "torchvision"]
    if replaced:
        notes.append(f"torchvision's test split stands in for the benchmark's own: {listed(replaced, NAMED)}")
    if len({scores.higher_is_better[task] for task in tasks}) > 1:
        lower = [task for task in tasks if not scores.higher_is_better[task]]
        notes.append(f"Lower is better on {listed(lower, NAMED)}: there are no means over tasks of both kinds")
    return notes


def _reference(
    scores: Scores, methods: Sequence[Method], common: Sequence[str], zero_shots: Sequence[Method]
) -> list[str]:
    if len(zero_shots) > 1:
        names = ", ".join(method.trainer for method in zero_shots)
        return [f"Several zero-shot methods ({names}): no gain over zero-shot is shown"]
    references = {method for method in zero_shots if method not in methods}
    references |= {method for method in scores.methods if method.arm == "single" and method not in methods}
    notes = []
    for method in sorted(references, key=lambda method: method.order):
        absent = [task for task in common if (method, task) not in scores.values]
        if absent:
            notes.append(f"Gains over {method} leave out the tasks it has no score on ({listed(absent, NAMED)})")
    return notes
