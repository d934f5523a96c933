"""The table of a run's tasks and the sizes of their splits."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from mvlpt.data.datum import Datum
from mvlpt.data.tasks import TaskInfo
from mvlpt.runtime import CleanConsole


def tasks_table(cfg: Any, tasks: Sequence[TaskInfo], num_classes: int, unlabelled: Sequence[Datum]) -> str:
    """A line for each task; below them the sums and the domains, where there are several.

    Args:
        cfg: the run's config.
        tasks: of the run.
        num_classes: of all tasks.
        unlabelled: the unlabelled training images, which get a column if there are any.
    """
    table = Table(title=None, show_footer=len(tasks) > 1)
    sizes = [task.sizes for task in tasks]
    columns: list[tuple[str, list[Any], Any]] = [
        ("task", [task.name for task in tasks], f"{len(tasks)} tasks"),
        ("classes", [task.num_classes for task in tasks], num_classes),
        *((split, [getattr(size, split) for size in sizes], None) for split in ("train", "val", "test")),
        ("metric", [task.metric for task in tasks], ""),
    ]
    if unlabelled:
        counts = Counter(item.domain if len(tasks) > 1 else 0 for item in unlabelled)
        columns.insert(-1, ("unlabelled", [counts[task] for task in range(len(tasks))], None))
    for title, values, foot in columns:
        total = sum(values) if foot is None else foot
        table.add_column(title, footer=_text(total), justify="left" if title in ("task", "metric") else "right")
    for row in zip(*(values for _, values, _ in columns), strict=True):
        table.add_row(*map(_text, row))
    page = io.StringIO()
    CleanConsole(file=page, width=100, color_system=None).print(table)
    for key in ("SOURCE_DOMAINS", "TARGET_DOMAINS"):
        if cfg.DATASET[key]:
            page.write(f"{key}: {', '.join(map(str, cfg.DATASET[key]))}\n")
    return page.getvalue().rstrip()


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
