"""How much each task gains by what it shares: over alone, over all together, over zero-shot; a dot for each."""

from __future__ import annotations

from typing import Any

from mvlpt.io import clean_text
from mvlpt.report.graphs import COLOURS, INK, new_figure, text_width
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import number
from mvlpt.report.page.svg import FAINT, Figure, inline_svg, page_style
from mvlpt.report.results import Method, ResultsTable

MARKS = {"single": ("o", COLOURS[0]), "all": ("s", COLOURS[4]), "zero_shot": ("D", COLOURS[2])}
MOST = 120  # tasks that are drawn


def build(content: Content) -> Section | None:
    """A figure for each trainer; nothing where there is nothing to compare."""
    table = content.table
    if table is None:
        return None
    figures = []
    for index, (trainer, shots) in enumerate(names.trainers(table)):
        method = names.focus(table, trainer, shots)
        if method is None or not names.references(table, method):
            continue
        figure = content.attempt(lambda method=method, index=index: _figure(table, method, f"gain{index}-"))
        figures += [figure] if figure else []
    if not figures:
        return None
    intro = (
        "Each dot is the mean over seeds of a task's gain, in points; to the right of the line is better. The last row"
        " is the mean over tasks."
    )
    return Section("gains", "What sharing gains", "figures.html.jinja", {"intro": intro, "rows": [figures]})


def _figure(table: ResultsTable, method: Method, key: str) -> Figure | None:
    """The drawing and what it shows in words; ``None`` where no other method has a score of the method's tasks."""
    tasks = [task for task in table.tasks if (method, task) in table.scores.values]
    references = [
        reference
        for reference in names.references(table, method)
        if any(table.scores.gain(method, reference, task) is not None for task in tasks)
    ]
    if not references:
        return None
    title = names.short_name(method, table)
    with page_style():
        drawing = draw_gains(table, method, references, tasks[:MOST])
        sentences = []
        for reference in references:
            gains = [g for task in tasks if (g := table.scores.gain(method, reference, task)) is not None]
            mean, better = sum(gains) / len(gains), sum(gain > 0 for gain in gains)
            sentences.append(
                f"over {names.arm_name(reference)} {number(mean, sign=True)} points in the mean,"
                f" better on {better} of {len(gains)} tasks"
            )
        caption = f"{title}: {'; '.join(sentences)}."
        if len(tasks) > MOST:
            caption += f" The first {MOST} tasks are drawn, with their mean."
        return Figure(inline_svg(drawing, key, f"Dot plot of gains by task. {caption}"), caption)


def draw_gains(table: ResultsTable, method: Method, references: list[Method], tasks: list[str]) -> Any:
    """Rows of dots, one row a task, in the order of the table."""
    labels = [clean_text(task, 40) for task in tasks]
    left, right, row, top, bottom = text_width(labels, 8.5) + 0.2, 0.15, 0.185, 0.62, 0.45
    width, height = max(4.4, left + 3.0), top + bottom + row * (len(tasks) + 1.4)
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))
    axes.axvline(0, color=INK, linewidth=1)
    below = len(tasks) + 0.4
    for shift, reference in zip(_shifts(len(references)), references, strict=True):
        marker, colour = MARKS.get(reference.arm, ("^", COLOURS[3]))
        gains = [table.scores.gain(method, reference, task) for task in tasks]
        known = [(gain, index + shift) for index, gain in enumerate(gains) if gain is not None]
        if not known:
            continue
        mean = sum(gain for gain, _ in known) / len(known)
        style = {"marker": marker, "color": colour, "linestyle": "none", "markeredgewidth": 0}
        axes.plot(
            *zip(*known, strict=True), markersize=5, alpha=0.9, label=f"over {names.arm_name(reference)}", **style
        )
        axes.plot([mean], [below + shift], markersize=6.5, **style)
    axes.axhline(len(tasks) - 0.3, color=FAINT, linewidth=0.8)
    axes.set(ylim=(below + 0.6, -0.7), xlabel="points")
    axes.set_yticks([*range(len(tasks)), below], [*labels, "mean"])
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_title(
        names.short_name(method, table), loc="left", x=-(left - 0.05) / (width - left - right), y=1.0, pad=22
    )
    axes.legend(
        loc="lower left", bbox_to_anchor=(-(left - 0.05) / (width - left - right), 1.0), ncols=len(references),
        handletextpad=0.0, columnspacing=0.6, fontsize=8, borderaxespad=0.2,
    )  # fmt: skip
    return figure


def _shifts(count: int) -> list[float]:
    """Rows of dots of one task, a little apart."""
    return [0.22 * (index - (count - 1) / 2) for index in range(count)]
