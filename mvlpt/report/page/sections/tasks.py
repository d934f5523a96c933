"""A part for each task: accuracy of every class, confusions, the surest mistakes as images, its learning curves."""

from __future__ import annotations

import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.engine import ClassResults
from mvlpt.io import counted
from mvlpt.report.classes import most_confused
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import Cell, Heading, Table, level, number
from mvlpt.report.page.runs import Run
from mvlpt.report.page.sections.curves import Row, draw_curves, method_of
from mvlpt.report.page.svg import Figure, inline_svg, page_style
from mvlpt.report.page.thumbnails import Thumbnails
from mvlpt.report.results import Method, ResultsTable

LISTED_CLASSES = 40  # more classes than this: the hardest only
MATRIX = 24  # more classes than this: the most frequent confusions only
CONFUSIONS = 12
SHOWN_MISTAKES = 6
MOST_CURVES, MOST_TASKS = 60, 200  # tasks that get curves, and a part, of their own


@dataclass(frozen=True)
class ShownMistake:
    """An image and what it was taken for."""

    data: str
    true: str
    predicted: str
    probability: str


def anchors(content: Content) -> dict[str, str]:
    """Each task's anchor on the page, where it has a part of its own."""
    tasks = content.table.tasks if content.table is not None else ()
    known = {task for by_task in content.evaluations.values() for task in by_task}
    return {
        task: f"task-{index}-{re.sub('[^a-z0-9]+', '-', task.lower()).strip('-')[:40]}"
        for index, task in enumerate(tasks[:MOST_TASKS])
        if task in known
    }


def build(content: Content) -> Section | None:
    """Nothing where no run kept what it found for each class."""
    table, links = content.table, anchors(content)
    if table is None or not links:
        return None
    thumbnails = Thumbnails() if content.images else Thumbnails(room=0)
    curves = _curves(content, list(links)[:MOST_CURVES])
    parts = [_part(content, table, task, link, thumbnails, curves.get(task)) for task, link in links.items()]
    left = len(table.tasks) - len(parts)
    why = "their runs kept no results by class, or there are too many"
    notes = [f"Tasks that are not listed: {left}; {why}."] if left > 0 else []
    if thumbnails.missing:
        notes.append(f"{len(thumbnails.missing)} images could not be read, such as {thumbnails.missing[0]}.")
    if thumbnails.left_out and content.images:
        notes.append(f"{thumbnails.left_out} images are left out so that the page stays small.")
    return Section("tasks", "Tasks", "tasks.html.jinja", {"parts": parts, "notes": notes, "single": len(parts) == 1})


def _part(
    content: Content, table: ResultsTable, task: str, link: str, thumbnails: Thumbnails, curve: Figure | None
) -> dict[str, Any]:
    found = {method: by_task[task] for method, by_task in content.evaluations.items() if task in by_task}
    methods = [method for method in table.methods if method in found]
    best = names.best_on(table, methods, task) or next(iter(found))
    results = found[best]
    counts = sum(one.counts for one in results)
    classes = results[0].classes
    seeds = f"{len(results)} seeds together" if len(results) > 1 else "one run"
    cell = table.cell(best, task)
    return {
        "task": task,
        "link": link,
        "line": f"best: {names.short_name(best, table)}" + (f", {cell.text(1)} %" if cell else ""),
        "sizes": f"{counted(len(classes), 'class')}, {counted(int(results[0].counts.sum()), 'image')}",
        "tables": [
            *_class_table(table, task, methods, found, best),
            *_confusions(classes, counts, names.short_name(best, table), seeds),
        ],
        "mistakes": _mistakes(results, thumbnails),
        "mistakes_of": f"The surest mistakes of {names.short_name(best, table)}, {seeds}",
        "curve": curve,
    }


def _class_table(
    table: ResultsTable, task: str, methods: Sequence[Method], found: Mapping[Method, list[ClassResults]], best: Method
) -> list[Table]:
    """The accuracy of each class by every method, a mean over seeds; of very many classes the hardest."""
    classes = found[best][0].classes
    means = {method: _mean_accuracies(found[method]) for method in methods if found[method][0].classes == classes}
    images = found[best][0].counts.sum(axis=1).tolist()
    order = list(range(len(classes)))
    caption = "Accuracy of each class, percent, mean over seeds"
    if len(classes) > LISTED_CLASSES:
        order = sorted(order, key=lambda row: (means[best][row] is None, means[best][row] or 0.0))[:LISTED_CLASSES]
        caption += f"; the {LISTED_CLASSES} hardest of {len(classes)} classes"
    headings = [Heading("class", number=False), Heading("images")]
    headings += [
        Heading(names.arm_name(m), over="" if m.untrained else names.trainer_name(m.trainer, m.shots, table))
        for m in means
    ]
    rows = []
    for row in order:
        cells = [Cell(classes[row]), Cell(str(images[row]), images[row])]
        cells += [_accuracy_cell(values[row]) for values in means.values()]
        rows.append(cells)
    return [Table(caption, headings, rows)]


def _accuracy_cell(value: float | None) -> Cell:
    """What is missing to 100 % is coloured."""
    return Cell(number(value, 0), value, level=None if value is None else level(100 - value, 0, 100), wrong=True)


def _count_cell(count: int, share: float, right: bool) -> Cell:
    """A field of the confusion matrix, coloured by its share of the row."""
    return Cell(str(count) if count else "·", float(count), level=level(share, 0, 1 if right else 0.6), wrong=not right)


def _mean_accuracies(results: Sequence[ClassResults]) -> list[float | None]:
    by_class = zip(*(one.accuracies for one in results), strict=True)
    known = [[value for value in values if value is not None] for values in by_class]
    return [sum(values) / len(values) if values else None for values in known]


def _confusions(classes: Sequence[str], counts: np.ndarray, method: str, seeds: str) -> list[Table]:
    """The confusion matrix, or of many classes the most frequent confusions."""
    if len(classes) <= MATRIX:
        shares, columns = counts / np.maximum(1, counts.sum(axis=1, keepdims=True)), range(len(classes))
        rows = [
            [Cell(name), *(_count_cell(counts[row, column], shares[row, column], row == column) for column in columns)]
            for row, name in enumerate(classes)
        ]
        caption = f"Confusion matrix of {method}, {seeds}: images by true class (rows) and predicted class (columns)"
        return [
            Table(
                caption,
                [Heading("true \\ predicted", number=False), *map(Heading, classes)],
                rows,
                sortable=False,
                compact=True,
            )
        ]
    rows = [
        [Cell(classes[true]), Cell(classes[predicted]), Cell(str(count), count), Cell(number(share, 0), share)]
        for true, predicted, count, share in most_confused(counts, CONFUSIONS)
    ]
    headings = [
        Heading("class", number=False),
        Heading("taken for", number=False),
        Heading("images"),
        Heading("% of the class"),
    ]
    return [Table(f"The most frequent confusions of {method}, {seeds}", headings, rows)] if rows else []


def _mistakes(results: Sequence[ClassResults], thumbnails: Thumbnails) -> list[ShownMistake]:
    """The surest mistakes over seeds, each image once."""
    surest = {}
    for mistake in sorted((m for one in results for m in one.mistakes), key=lambda m: (-m.probability, m.image)):
        surest.setdefault(mistake.image, mistake)
    classes = results[0].classes
    return [
        ShownMistake(data, classes[mistake.true], classes[mistake.predicted], f"{mistake.probability:.0%}")
        for mistake in itertools.islice(surest.values(), SHOWN_MISTAKES)
        if (data := thumbnails.data(mistake.image))
    ]


def _curves(content: Content, tasks: Sequence[str]) -> dict[str, Figure]:
    """Accuracy by epoch of each task, in the arms of the trainer that does best on it."""
    by_task: dict[str, dict[Method, list[Sequence[Row]]]] = defaultdict(lambda: defaultdict(list))
    for run in content.runs:
        method = method_of(content, run)
        if method is None or run.folder not in content.curves:
            continue
        for task, rows in _epochs_by_task(content, run).items():
            by_task[task][method].append(rows)
    figures = {}
    for index, task in enumerate(tasks):
        draw = functools.partial(_curve, content.table, task, by_task.get(task, {}), f"taskcurve{index}-")
        figure = content.attempt(draw)
        if figure is not None:
            figures[task] = figure
    return figures


def _epochs_by_task(content: Content, run: Run) -> dict[str, list[Row]]:
    """The epochs of the tasks that a run scored: of several from its file of tasks, of one task from its only file."""
    own = {row["task"] for row in content.rows_of(run)}
    found: dict[str, list[Row]] = defaultdict(list)
    for row in content.task_curves.get(run.folder, ()):
        if row["task"] in own:
            found[row["task"]].append(row)
    return found or ({next(iter(own)): content.curves[run.folder]} if len(own) == 1 else {})


def _curve(table: ResultsTable, task: str, known: Mapping[Method, Any], key: str) -> Figure | None:
    best = names.best_on(table, list(known), task)
    if best is None:
        return None
    arms = {m: known[m] for m in table.methods if m in known and (m.trainer, m.shots) == (best.trainer, best.shots)}
    with page_style():
        name = names.trainer_name(best.trainer, best.shots, table)
        validated = any(row["val_accuracy"] is not None for runs in arms.values() for rows in runs for row in rows)
        columns = (("train_accuracy", "--" if validated else "-"), ("val_accuracy", "-"))
        figure = draw_curves(arms, columns, "accuracy %", name, height=2.6)
        how = "training (dashed) and validation" if validated else "on the training images"
        caption = f"{task}, {name}: accuracy by epoch, {how}."
        return figure and Figure(inline_svg(figure, key, f"Line chart. {caption}"), caption)
