"""Learning curves: loss and accuracy by epoch, on training and on validation images, for each trainer and arm."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.arms import ARMS
from mvlpt.engine import training_failure
from mvlpt.io import clean_text
from mvlpt.report.graphs import COLOURS, new_figure, text_width
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.runs import Run
from mvlpt.report.page.svg import Figure, inline_svg, page_style
from mvlpt.report.results import Method

Row = Mapping[str, Any]
Runs = Sequence[Sequence[Row]]
PANELS = (
    ("loss", "training loss", "mean over batches"),
    ("train_accuracy", "training accuracy %", "measured while the prompt changed"),
    ("val_accuracy", "validation score %", "after each epoch"),
)
MOST_FAILURES = 20  # that are listed
LEGEND_LINE = 0.18  # inches


def build(content: Content) -> Section | None:
    """Up to three figures for each trainer; nothing where no run wrote ``metrics.csv``."""
    by_trainer = _by_trainer(content)
    rows = [
        content.attempt_all(
            [functools.partial(_figure, trainer, arms, panel, f"curve{row}-{panel[0]}-") for panel in PANELS]
        )
        for row, (trainer, arms) in enumerate(by_trainer.items())
    ]
    if not any(rows):
        return None
    intro = "A line for each arm, the mean over its runs on all tasks and seeds."
    if not any(_known(runs, "val_accuracy") for arms in by_trainer.values() for runs in arms.values()):
        intro += " No validation images were scored: TEST.FINAL_MODEL best_val does so after every epoch."
    values = {"intro": intro, "rows": rows, "warnings": _failures(content)}
    return Section("curves", "Learning curves", "figures.html.jinja", values)


def _failures(content: Content) -> list[str]:
    """A sentence for each run whose training has failed, and one for those beyond the first :data:`MOST_FAILURES`."""
    found = [
        f"{run.name}: {sentence}"
        for run in content.runs
        if (rows := content.curves.get(run.folder)) and (sentence := training_failure(rows[0], rows[-1]))
    ]
    more = len(found) - MOST_FAILURES
    return [*found[:MOST_FAILURES], *([f"and {more} more runs"] if more > 0 else [])]


def _by_trainer(content: Content) -> dict[str, dict[Method, list[Sequence[Row]]]]:
    """Trainer to method, in the order of tables, to the epochs of each of its runs."""
    found: dict[Method, list[Sequence[Row]]] = defaultdict(list)
    for run in content.runs:
        rows, method = content.curves.get(run.folder), method_of(content, run)
        if rows and method is not None:
            found[method].append(rows)
    by_trainer: dict[str, dict[Method, list[Sequence[Row]]]] = defaultdict(dict)
    several = len({method.shots for method in found}) > 1
    for method in sorted(found, key=lambda method: method.order):
        name = clean_text(method.trainer, names.LONGEST)
        trainer = f"{name}, {method.shots_word}" if several else name
        by_trainer[trainer][method] = found[method]
    return by_trainer


def method_of(content: Content, run: Run) -> Method | None:
    """What a run is a run of, by its results or else by its job."""
    rows = content.rows_of(run)
    if rows:
        return Method.of(rows[0])
    known = {key: run.labels.get(key) for key in ("trainer", "arm", "shots", "group")}
    words = all(isinstance(known[key], str) and known[key] for key in ("trainer", "arm"))
    if not words or not isinstance(known["shots"], int) or not isinstance(known["group"], str | None):
        return None
    return Method.of(known)


def _figure(trainer: str, arms: Mapping[Method, Runs], panel: tuple[str, str, str], key: str) -> Figure | None:
    column, label, how = panel
    with page_style():
        figure = draw_curves(arms, ((column, "-"),), label, trainer)
        if figure is None:
            return None
        ends = {method: _end(runs, column) for method, runs in by_arm(arms).items()}
        listed = [f"{names.arm_name(method)} {end:.3g}" for method, end in ends.items() if end is not None]
        caption = f"{trainer}: {label} by epoch, {how}."
        return Figure(inline_svg(figure, key, f"Line chart. {caption} At the end: {', '.join(listed)}."), caption)


def _end(runs: Runs, column: str) -> float | None:
    ends = [rows[-1][column] for rows in runs if rows[-1][column] is not None]
    return sum(ends) / len(ends) if ends else None


def by_arm(arms: Mapping[Method, Runs]) -> dict[Method, Runs]:
    """The runs of each arm, those of all its groups or sources together."""
    found: dict[Method, Runs] = {}
    for method, runs in arms.items():
        arm = method if method.start else dataclasses.replace(method, group="")
        found[arm] = [*found.get(arm, ()), *runs]
    return found


def draw_curves(
    arms: Mapping[Method, Runs], columns: Sequence[tuple[str, str]], label: str, title: str, height: float = 2.9
) -> Any | None:
    """A line for each arm and column, the mean over its runs.

    Args:
        arms: the epochs of each method's runs.
        columns: of the rows, each with the style of its lines.
        label: of the vertical axis.
        title: above.
        height: inches; a long legend adds to it.

    Returns:
        A matplotlib figure; ``None`` where no value is known.
    """
    from matplotlib.lines import Line2D

    arms = by_arm(arms)
    drawn = [(method, column, style) for method in arms for column, style in columns if _known(arms[method], column)]
    if not drawn:
        return None
    colours = _colours(list(dict.fromkeys(method for method, _, _ in drawn)))
    labels = [names.arm_name(method) for method in colours]
    columns_of_legend = 2 if text_width(labels, 8) < 1.35 else 1
    rows = math.ceil(len(labels) / columns_of_legend) if len(labels) > 1 else 0
    height += LEGEND_LINE * max(0, rows - 3)
    figure = new_figure(3.7, height)
    below = 0.5 + LEGEND_LINE * rows
    axes = figure.add_axes((0.19, below / height, 0.77, 1 - (below + 0.32) / height))
    for method, column, style in drawn:
        epochs, means = _means(arms[method], column)
        alone = {"marker": "o", "markersize": 4} if len(epochs) == 1 else {}
        axes.plot(epochs, means, style, color=colours[method], linewidth=1.6, alpha=0.9, **alone)
    axes.grid()
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_title(title, loc="left")
    if rows:
        handles = [Line2D([], [], color=colour, linewidth=1.6) for colour in colours.values()]
        figure.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0.16 if columns_of_legend == 2 else 0.0, 0),
            ncols=columns_of_legend, handlelength=1.2, columnspacing=1.0, borderaxespad=0.1, fontsize=8,
        )  # fmt: skip
    return figure


def _colours(methods: Sequence[Method]) -> dict[Method, str]:
    """The colour of each arm; where several have one, as variants do, the colours in order."""
    colours = [_arm_colour(method) for method in methods]
    if len(set(colours)) < len(colours):
        colours = [COLOURS[index % len(COLOURS)] for index in range(len(methods))]
    return dict(zip(methods, colours, strict=True))


def _arm_colour(method: Method) -> str:
    """The colour of an arm, the same in every figure."""
    order = list(ARMS)
    number = order.index(method.arm) - 1 if method.arm in order else len(order)
    return COLOURS[(number + (3 if method.start == "grouped" else 0)) % len(COLOURS)]


def _known(runs: Runs, column: str) -> bool:
    return any(row[column] is not None for rows in runs for row in rows)


def _means(runs: Runs, column: str) -> tuple[list[int], list[float]]:
    """Epochs, and the mean over the runs that reached each."""
    values: dict[int, list[float]] = defaultdict(list)
    for rows in runs:
        for row in rows:
            if row[column] is not None:
                values[row["epoch"]].append(row[column])
    epochs = sorted(values)
    return epochs, [sum(values[epoch]) / len(values[epoch]) for epoch in epochs]
