"""A comparison of runs as tables, Markdown, CSV and JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable

from mvlpt.io import counted, csv_text
from mvlpt.report.results.method import Method
from mvlpt.report.runs.changed_images import ImageChanges
from mvlpt.report.runs.comparison import Comparison, SideTest
from mvlpt.report.sheets import Column, Entry, Sheet, markdown, signed


def comparison_sheets(comparison: Comparison, images: int = 5) -> list[Sheet]:
    """Options, scores, tests and images that changed sides; tables without rows are left out.

    Args:
        comparison: what to show.
        images: so many that changed sides are named for each pair of runs; 0 shows counts only.
    """
    sheets = [_options_sheet(comparison), _scores_sheet(comparison)]
    if comparison.tests:
        sheets.append(_tests_sheet(comparison.tests))
    for side, change in zip(comparison.sides[1:], comparison.changes, strict=True):
        if change.units:
            title = f"{comparison.sides[0].label} → {side.label}"
            sheets.append(_changes_sheet(title, change))
            if images and any(unit.images for unit in change.units):
                sheets.append(_images_sheet(title, change, images))
    return sheets


def comparison_markdown(comparison: Comparison, images: int = 5) -> str:
    """GitHub tables, then a list of notes."""
    blocks = [markdown(sheet) for sheet in comparison_sheets(comparison, images)]
    if comparison.notes:
        blocks.append("\n".join(f"- {note}" for note in comparison.notes))
    return "\n\n".join(blocks) + "\n"


def comparison_csv(comparison: Comparison) -> str:
    """A line for each method and task, unrounded: the mean of each run, and its gain over the first."""
    labels = [side.label for side in comparison.sides]
    gains = [f"gain of {label}" for label in labels[1:]]
    rows = [["method", "task", "metric", "higher_is_better", *labels, *gains]]
    for line in comparison.lines:
        named = (_words(line.method), line.task, line.metric, line.higher_is_better)
        rows.append([*named, *line.means, *line.gains[1:]])
    return csv_text(rows)


def comparison_json(comparison: Comparison) -> str:
    """Everything, unrounded, with all images that changed sides."""
    labels = [side.label for side in comparison.sides]
    content = {
        "runs": [{"label": side.label, "path": side.path} for side in comparison.sides],
        "options": {option.key: dict(zip(labels, option.values, strict=True)) for option in comparison.options},
        "scores": [
            {
                "method": _words(line.method) or None,
                "task": line.task,
                "metric": line.metric,
                "higher_is_better": line.higher_is_better,
                "seeds": line.seeds,
                "means": dict(zip(labels, line.means, strict=True)),
                "gains": dict(zip(labels[1:], line.gains[1:], strict=True)),
            }
            for line in comparison.lines
        ],
        "tests": [dataclasses.asdict(test) for test in comparison.tests],
        "images": [
            {
                "second": label,
                "method": _words(unit.unit.method) or None,
                "task": unit.unit.task,
                "seed": unit.unit.seed,
                "both_right": unit.both,
                "both_wrong": unit.neither,
                "changed": [dataclasses.asdict(image) for image in unit.images],
            }
            for label, change in zip(labels[1:], comparison.changes, strict=True)
            for unit in change.units
        ],
        "notes": list(comparison.notes),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _words(method: Method | None) -> str:
    return "" if method is None else str(method)


def _sheet(title: str, columns: Iterable[tuple[str, bool]], rows: Iterable[Iterable[str] | None], keys: int) -> Sheet:
    return Sheet(
        title,
        tuple(Column((name,), left) for name, left in columns),
        tuple(None if row is None else tuple(map(Entry, row)) for row in rows),
        keys,
    )


def _options_sheet(comparison: Comparison) -> Sheet:
    """A row for each run; the options in which they differ are the columns."""
    columns = [("run", True), ("mean %", False), *((option.key, True) for option in comparison.options)]
    rows = [
        (side.path, _number(comparison.mean(index)), *(option.values[index] for option in comparison.options))
        for index, side in enumerate(comparison.sides)
    ]
    differ = len(comparison.options)
    title = f"Runs differ in {counted(differ, 'option')}" if differ else "No option that affects results differs"
    return _sheet(title, columns, rows, 1)


def _scores_sheet(comparison: Comparison) -> Sheet:
    with_methods = any(line.method for line in comparison.lines)
    labels = [side.label for side in comparison.sides]
    columns = [("method", True)] if with_methods else []
    columns += [("task", True), *((label, False) for label in labels)]
    columns += [(f"gain of {label}" if len(labels) > 2 else "gain", False) for label in labels[1:]]
    rows: list[Iterable[str] | None] = []
    for line in comparison.lines:
        method = [_words(line.method)] if with_methods else []
        rows.append((*method, line.task, *map(_number, line.means), *map(signed, line.gains[1:])))
    if len(comparison.lines) > 1:
        indices = range(len(labels))
        means, gains = map(comparison.mean, indices), map(comparison.mean_gain, indices[1:])
        rows += [None, (*([""] if with_methods else []), "mean", *map(_number, means), *map(signed, gains))]
    metrics = ", ".join(sorted({line.metric for line in comparison.lines}))
    return _sheet(f"Score % ({metrics}), gain over {labels[0]} in points", columns, rows, 1 + with_methods)


def _tests_sheet(tests: Iterable[SideTest]) -> Sheet:
    tests = list(tests)
    several = any(test.p_holm is not None for test in tests)
    columns = [("run", True), ("test", True), ("over", True), ("pairs", False), ("better", False), ("worse", False)]
    columns += [("mean gain", False), ("p", False), *([("p (Holm)", False)] if several else [])]
    rows = []
    for _, group in itertools.groupby(tests, key=lambda test: test.second):
        rows += [None] if rows else []
        for test in group:
            numbers = (str(test.n), str(test.better), str(test.worse), signed(test.mean), p_word(test.p))
            rows.append((test.second, test.test, test.over, *numbers, *([p_word(test.p_holm)] if several else [])))
    return _sheet(f"Paired tests against {tests[0].first}, two-sided", columns, rows, 2)


def _changes_sheet(title: str, change: ImageChanges) -> Sheet:
    columns = [("task", True), ("seed", False), ("wrong → right", False), ("right → wrong", False)]
    columns += [("both right", False), ("both wrong", False)]
    rows = []
    for unit in change.units:
        method = f"{_words(unit.unit.method)}: " if unit.unit.method else ""
        counts = map(str, (unit.gained, unit.lost, unit.both, unit.neither))
        rows.append((method + unit.unit.task, str(unit.unit.seed), *counts))
    return _sheet(f"Images that changed sides, {title}", columns, rows, 1)


def _images_sheet(title: str, change: ImageChanges, most: int) -> Sheet:
    columns = [("image", True), ("class", True), ("before", True), ("after", True)]
    every = [image for unit in change.units for image in unit.images]
    rows = [
        ("/".join(image.image.split("/")[-2:]), ", ".join(image.classes), image.first, image.second)
        for image in every[:most]
    ]
    return _sheet(f"{len(rows)} of {len(every)} images that changed sides, {title}", columns, rows, 1)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def p_word(p: float | None) -> str:
    """A p-value with as many digits as matter; a dash where there is no test."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"
