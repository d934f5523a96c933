"""The summary: three sentences with the numbers, and the key figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mvlpt.io import counted
from mvlpt.report.durations import duration
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import number
from mvlpt.report.results import Method, ResultsTable, images_word

STATES = {"failed": "has failed", "interrupted": "was interrupted", "killed": "was killed"}  # as part of a sentence


def build(content: Content) -> Section:
    """The first section of every report."""
    sentences = list(_sentences(content))
    return Section("summary", "Summary", "summary.html.jinja", {"sentences": sentences, "tiles": _tiles(content)})


def _sentences(content: Content) -> Iterator[str]:
    table = content.table
    if table is None:
        yield "The scores cannot be shown together." if content.rows else "No run has a score yet."
    elif content.is_run:
        yield _run_sentence(table)
    else:
        yield from filter(None, (_best_sentence(table), _sharing_sentence(table)))
    yield _work_sentence(content)


def _run_sentence(table: ResultsTable) -> str:
    method = table.methods[0]
    cell = next(row.overall for row in table.summaries if row.method == method)
    on = table.tasks[0] if len(table.tasks) == 1 else f"{len(table.tasks)} tasks"
    metrics = sorted({table.scores.metric[task] for task in table.tasks})
    score = f"scores {cell.text(1)} %" if cell else "has scores that do not average"
    return f"{names.short_name(method, table)} {score} ({table.scores.kind} {', '.join(metrics)}) on {on}."


def _best_sentence(table: ResultsTable) -> str:
    best = names.best(table)
    if best is None:
        if table.common:
            return "There is no mean over tasks: lower is better on some of them, higher on others."
        return f"The means of {len(table.methods)} methods do not compare: no task has a score of each."
    row = next(row for row in table.summaries if row.method == best)
    against = []
    if row.over_zero_shot is not None:
        against.append(_compared(row.over_zero_shot, "zero-shot"))
    if row.over_single is not None:
        against.append(_compared(row.over_single, "each task alone"))
    many = len(table.common)
    compared = f", {' and '.join(against)}" if against else ""
    count = len(names.compared(table.methods))
    only = "the only method" if count == 1 else f"the best of {count} methods"
    return (
        f"{names.short_name(best, table)} is {only}: {row.overall.text(1)} % {table.scores.kind} score"
        f" in the mean over {counted(many, 'task')}{compared}."
    )


def _sharing_sentence(table: ResultsTable) -> str:
    """What sharing does, for the trainer with the best shared method."""
    found = [method for pair in names.trainers(table) if (method := names.focus(table, *pair))]
    found = [m for m in found if m.arm != "single" and names.references(table, m)]
    if not found:
        return ""
    method = max(found, key=lambda m: _mean(table, m))
    again = method == names.best(table)  # the sentence before has named it, and its gains
    parts = []
    for reference in names.references(table, method):
        tasks = table.scores.common_tasks((method, reference))
        gains = [table.scores.gain(method, reference, task) for task in tasks]
        if gains:
            better = sum(gain > 0 for gain in gains)
            on = f"on {better} of {len(tasks)} tasks"
            compared = _compared(sum(gains) / len(gains), names.arm_name(reference))
            parts.append(f"than {names.arm_name(reference)} {on}" if again else f"{compared} (better {on})")
    if not parts:
        return ""
    if again:
        return f"It is better {', '.join(parts)}."
    return f"{names.short_name(method, table)} reaches {number(_mean(table, method))} %: {', '.join(parts)}."


def _mean(table: ResultsTable, method: Method) -> float:
    overall = next((row.overall for row in table.summaries if row.method == method), None)
    return overall.mean if overall else float("-inf")


def _compared(gain: float, reference: str) -> str:
    if round(gain, 1) == 0:
        return f"level with {reference}"
    return f"{number(abs(gain))} points {'better' if gain > 0 else 'worse'} than {reference}"


def _work_sentence(content: Content) -> str:
    states, what = content.states, "jobs" if content.plan is not None else "runs"
    total, done = sum(states.values()), states.get("finished", 0)
    rest = ", ".join(f"{count} {state}" for state, count in states.items() if state != "finished")
    if content.is_run:
        seconds = _number_in(next(iter(content.run_records.values()), {}), "seconds")
        took = f" after {duration(seconds)}" if seconds is not None else ""
        state = next(iter(states), "unknown")
        return f"The run has finished{took}." if state == "finished" else f"The run {STATES.get(state, f'is {state}')}."
    sentence = "All" if done == total else f"{done} of"
    sentence += f" {total} {what} have finished" + (f" ({rest})" if rest else "")
    if content.plan is not None:
        seconds = sum(content.records[job.id].seconds for job in content.plan)
        sentence += f", {duration(seconds)} of computing"
    groups = sorted({len(view.groups) for view in content.groupings})
    if groups:
        several = " or ".join(map(str, groups))
        sentence += f", with {several} group{'s' * (groups != [1])} of tasks"
    return sentence + "."


def _tiles(content: Content) -> list[tuple[str, str]]:
    if content.is_run:
        return _run_tiles(content)
    table, tiles = content.table, []
    if table is not None:
        seeds = {seed for m in table.methods if not m.untrained for seed in table.scores.seeds(m)}
        tiles += [("tasks", str(len(table.tasks))), ("methods", str(len(table.methods)))]
        tiles += [("seeds", str(len(seeds)))] if seeds else []
        tiles += _shots_tile(table)
    what = "jobs finished" if content.plan is not None else "runs finished"
    return [*tiles, (what, f"{content.states.get('finished', 0)} of {sum(content.states.values())}")]


def _run_tiles(content: Content) -> list[tuple[str, str]]:
    """Of one run: tasks, shots, seed, epochs, trained numbers, time."""
    table, record = content.table, next(iter(content.run_records.values()), {})
    tiles = []
    if table is not None:
        seeds = table.scores.seeds(table.methods[0])
        tiles += [("tasks", str(len(table.tasks))), *_shots_tile(table), ("seed", ", ".join(map(str, seeds)))]
    epochs = [rows[-1]["epoch"] for rows in content.curves.values()]
    tiles += [("epochs", str(max(epochs)))] if epochs else []
    trained, seconds = (_number_in(record, key) for key in ("trained_parameters", "seconds"))
    tiles += [("trained parameters", f"{trained:,.0f}")] if trained is not None else []
    return [*tiles, *([("time", duration(seconds))] if seconds is not None else [])]


def _number_in(record: Mapping[str, Any], key: str) -> float | None:
    """A number of ``run.json``; ``None`` where it is absent, or none that can be shown."""
    value = record.get(key)
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15
    return float(value) if known else None


def _shots_tile(table: ResultsTable) -> list[tuple[str, str]]:
    shots = sorted({m.shots for m in table.methods if not m.untrained})
    return [("images a class", ", ".join(map(images_word, shots)))] if shots else []
