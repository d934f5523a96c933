"""Whether what was predicted came true: similarity or affinity against measured gains, and the ceiling of both.

Shapes: G gains, S seeds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvlpt.graph.similarity import spearman
from mvlpt.report.graphs import COLOURS, INK, new_figure
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.groupings import GroupingView
from mvlpt.report.page.html_tables import number
from mvlpt.report.page.svg import Figure, inline_svg, page_style
from mvlpt.report.results import Method, ResultsTable, images_word, results_table
from mvlpt.report.results import Selection as Rows

HALVES = 200  # most halves of the seeds that are compared
FEWEST = 4  # gains below which nothing is drawn


@dataclass(frozen=True)
class Gain:
    """A measured gain: of a target by a source or by all it shares a prompt with, and what was predicted of it.

    Attributes:
        target: the task.
        predicted: the similarity or affinity.
        by_seed: the gain with each seed, points.
    """

    target: str
    predicted: float
    by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return sum(self.by_seed) / len(self.by_seed)


def build(content: Content) -> Section | None:
    """Nothing where there are too few measured gains, or no matrix to predict them."""
    table = content.table
    views = [view for view in content.groupings if view.matrix is not None]
    if table is None or not views:
        return None
    figures = []
    for trainer, shots in names.trainers(table):
        view = _view_of(views, trainer, shots)
        for what, gains in (
            ("pairs", pair_gains(content, view, trainer, shots)),
            ("groups", group_gains(table, view, trainer, shots)),
        ):
            if len(gains) >= FEWEST and np.ptp([one.predicted for one in gains]) > 0:
                key, name = f"transfer{len(figures)}-", names.trainer_name(trainer, shots, table)
                figure = content.attempt(
                    lambda gains=gains, what=what, key=key, name=name, view=view: _figure(gains, what, view, name, key)
                )
                figures += [figure] if figure else []
                break
    if not figures:
        return None
    intro = (
        "Each dot is a gain over each task alone, in points, against what was predicted of it. ρ is Spearman's rank"
        " correlation. The ceiling is the square root of the gains' reliability between halves of the seeds: no"
        " prediction can be expected to correlate better."
    )
    return Section("transfer", "Predicted and measured", "figures.html.jinja", {"intro": intro, "rows": [figures]})


def _view_of(views: Sequence[GroupingView], trainer: str, shots: int) -> GroupingView:
    """The groups that a trainer and a number of shots have of their own, or else the first."""
    ending = f"{images_word(shots)}shot"
    own = (f"groups-{trainer}-{ending}", f"groups-{trainer}", f"groups-{ending}")
    return next((view for name in own for view in views if view.name == name), views[0])


def pair_gains(content: Content, view: GroupingView, trainer: str, shots: int) -> list[Gain]:
    """Gains of targets by one source, of the arms ``transfer`` and ``pair``, over the target alone."""
    arms = [
        arm
        for arm in ("transfer", "pair")
        if any((r["arm"], r["trainer"], r["shots"]) == (arm, trainer, shots) for r in content.rows)
    ]
    if not arms:
        return []
    table = content.attempt(
        lambda: results_table(content.rows, select=Rows(trainers=(trainer,), arms=(*arms, "single"), shots=(shots,)))
    )
    alone = table and names.find(table, trainer, shots, "single")
    if not table or alone is None:
        return []
    index, found = {task: row for row, task in enumerate(view.tasks)}, []
    for method, task in table.scores.values:
        source = next((part for part in method.group.split("+") if part != task and part in index), None)
        if method.arm in arms and source is not None and task in index and method.group != task:
            found += _gain(table, method, alone, task, float(view.matrix[index[source], index[task]]))
    return found


def group_gains(table: ResultsTable, view: GroupingView, trainer: str, shots: int) -> list[Gain]:
    """Gains of tasks by their groups, over each alone; predicted by the mean similarity to the others of the group."""
    grouped, alone = (names.find(table, trainer, shots, arm) for arm in ("grouped", "single"))
    if grouped is None or alone is None:
        return []
    index, found = {task: row for row, task in enumerate(view.tasks)}, []
    for group in view.grouping.groups:
        for task in group:
            others = [index[other] for other in group if other != task and other in index]
            if others and task in index:
                values = view.matrix[others, index[task]]
                if not np.isnan(values).all():
                    found += _gain(table, grouped, alone, task, float(np.nanmean(values)))
    return found


def _gain(table: ResultsTable, method: Method, alone: Method, task: str, predicted: float) -> list[Gain]:
    mine, other = (table.scores.values.get((m, task), {}) for m in (method, alone))
    sign = 1 if table.scores.higher_is_better[task] else -1
    seeds = sorted(set(mine) & set(other))
    if not seeds or math.isnan(predicted):
        return []
    return [Gain(task, predicted, tuple(sign * (mine[seed] - other[seed]) for seed in seeds))]


def ceiling(gains: Sequence[Gain]) -> float:
    """The square root of the reliability of the mean gains: how well any prediction can be expected to rank them.

    The gains of one half of the seeds are ranked like those of the other with a mean correlation r over all halves, of
    many seeds over the first :data:`HALVES`;
    2 r / (1 + r) is the reliability of the mean over all seeds (Spearman and Brown). NaN with one seed.
    """
    seeds = min(len(one.by_seed) for one in gains)
    if seeds < 2 or len(gains) < 3:
        return math.nan
    values = np.array([one.by_seed[:seeds] for one in gains])
    halves = list(itertools.islice(itertools.combinations(range(seeds), seeds // 2), HALVES))
    found = []
    for half in halves:
        rest = [seed for seed in range(seeds) if seed not in half]
        one, other = values[:, half].mean(axis=1), values[:, rest].mean(axis=1)
        if min(np.ptp(one), np.ptp(other)) > 0:
            found.append(spearman(one, other))
    if not found:
        return math.nan
    r = float(np.mean(found))
    return math.sqrt(max(0.0, 2 * r / (1 + r))) if r > -1 else math.nan


def _figure(gains: Sequence[Gain], what: str, view: GroupingView, name: str, key: str) -> Figure:
    predicted, measured = np.array([one.predicted for one in gains]), np.array([one.mean for one in gains])
    rho = spearman(predicted, measured) if np.ptp(measured) > 0 else math.nan
    top = ceiling(gains)
    kind = "affinity" if view.directed else "similarity"
    with page_style():
        figure = new_figure(3.7, 3.0)
        axes = figure.add_axes((0.2, 0.16, 0.76, 0.72))
        axes.axhline(0, color=INK, linewidth=1)
        axes.plot(predicted, measured, "o", color=COLOURS[0], markersize=5, alpha=0.75, markeredgewidth=0)
        of = "of source and target" if what == "pairs" else "to the others of the group (mean)"
        axes.set(xlabel=f"{kind} {of}", ylabel="gain over alone, points")
        axes.grid()
        axes.set_title(name, loc="left")
        one_seed = min(len(one.by_seed) for one in gains) < 2
        limit = f"{top:.2f}" if math.isfinite(top) else f"unknown{' with one seed' * one_seed}"
        caption = (
            f"{name}: {len(gains)} {'source–target pairs' if what == 'pairs' else 'tasks in groups'}, ρ ="
            f" {number(rho, 2)}, ceiling {limit}."
        )
        return Figure(inline_svg(figure, key, f"Scatter plot of gains against {kind}. {caption}"), caption)
