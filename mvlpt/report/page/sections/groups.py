"""The groups: who is in which, the similarities that they follow from, and the task graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvlpt.io import clean_text, counted
from mvlpt.report.graphs import draw_heatmap, draw_network
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.groupings import GroupingView
from mvlpt.report.page.html_tables import number
from mvlpt.report.page.svg import Figure, inline_svg, page_style

MOST = 80  # tasks of which figures are drawn


def build(content: Content) -> Section | None:
    """Nothing where no tasks were grouped."""
    views = [
        {
            "name": name,
            "sentence": _sentence(view),
            "groups": _members(view),
            "figures": _figures(view, content, index),
        }
        for index, (name, view) in enumerate(_distinct(content))
    ]
    return Section("groups", "Groups of tasks", "groups.html.jinja", {"views": views}) if views else None


def _distinct(content: Content) -> list[tuple[str, GroupingView]]:
    """The groups with the trainers that they are of, once where several trainers have the same."""
    found: list[tuple[list[str], GroupingView]] = []
    for view in content.groupings:
        own = view.name.removeprefix("groups").lstrip("-") if len(content.groupings) > 1 else ""
        same = next((names for names, other in found if _same(view, other)), None)
        if same is None:
            found.append(([own] if own else [], view))
        elif own:
            same.append(own)
    return [(", ".join(names), view) for names, view in found]


def _same(one: GroupingView, other: GroupingView) -> bool:
    known = one.matrix is not None and other.matrix is not None
    return (
        _members(one) == _members(other)
        and one.label == other.label
        and known
        and np.array_equal(one.matrix, other.matrix)
    )


def _sentence(view: GroupingView) -> str:
    grouping, many = view.grouping, len(view.groups)
    named = view.label and ("similarity" in grouping.settings or "affinity" in grouping.settings)
    by = f" by {view.label}" if named else ""
    proof = " (proved optimal)" if grouping.gap == 0 else ""
    objective = f", objective {number(grouping.objective, 3)}" if grouping.objective is not None else ""
    return f"{len(view.tasks)} tasks in {counted(many, 'group')}{by}, method {grouping.method}{proof}{objective}."


def _members(view: GroupingView) -> dict[str, str]:
    """Each group in words."""
    return {group: _described(view, group) for group in view.groups}


def _described(view: GroupingView, group: str) -> str:
    """The tasks that a group serves, those that its prompt is trained on besides, and those it is adapted to."""
    served, adapted = view.groups[group], view.grouping.settings.get("adapted")
    found = ", ".join(served)
    others = [task for task in view.grouping.groups[view.grouping.names.index(group)] if task not in served]
    if others:
        found += f"; trained together with {', '.join(others)}"
    own = [task for task in served if isinstance(adapted, list | tuple) and task in adapted]
    if own:
        found += f"; then adapted to {'each' if len(own) == len(served) > 1 else ', '.join(own)}"
    return found


def _figures(view: GroupingView, content: Content, index: int) -> list[Figure]:
    if view.matrix is None or not 2 <= len(view.tasks) <= MOST:
        return []
    draw = (lambda: _heatmap(view, f"heat{index}-"), lambda: _network(view, f"net{index}-"))
    return content.attempt_all(draw)


def _heatmap(view: GroupingView, key: str) -> Figure:
    kind = "affinity" if view.directed else "similarity"
    tasks, groups, _ = _shown(view)
    with page_style():
        label = "row helps column" if view.directed else kind
        drawing = draw_heatmap(view.matrix, tasks, groups, directed=view.directed, label=label)
        caption = f"{kind.capitalize()} of every two tasks ({view.label}), ordered by group; frames are groups."
        return Figure(inline_svg(drawing, key, f"Heat map. {caption} {_listed(view)}"), caption, wide=True)


def _network(view: GroupingView, key: str) -> Figure:
    tasks, groups, classes = _shown(view)
    with page_style():
        label = "affinity" if view.directed else "similarity"
        drawing = draw_network(view.matrix, tasks, groups, sizes=classes, label=label)
        caption = "The task graph: tasks round a circle, group by group, each joined to the three nearest."
        return Figure(inline_svg(drawing, key, f"{caption} {_listed(view)}"), caption, wide=True)


def _shown(view: GroupingView) -> tuple[list[str], Mapping[str, list[str]], Mapping[str, int]]:
    """The tasks, groups and numbers of classes under names that can be shown."""
    names = {task: clean_text(task, 60) for task in view.tasks}
    groups = {group: [names[task] for task in members] for group, members in view.groups.items()}
    return list(names.values()), groups, {names[task]: count for task, count in view.classes.items()}


def _listed(view: GroupingView) -> str:
    return " ".join(f"{name}: {', '.join(members)}." for name, members in view.groups.items())
