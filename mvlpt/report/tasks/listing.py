"""The list of known tasks and where their data was found, as a table and as records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mvlpt.data.sources import Location, TaskMetadata, known_tasks, locate
from mvlpt.io import rich_text

if TYPE_CHECKING:
    from rich.table import Table


class ListedTask(NamedTuple):
    """A known task and the location of its data."""

    metadata: TaskMetadata
    location: Location


def list_tasks(root: str, family: str | None = None) -> list[ListedTask]:
    """All known tasks, each with the result of the search for its data.

    Args:
        root: the folder of the data sets.
        family: only this family.

    Raises:
        UnknownNameError: there is no such family.
    """
    return [ListedTask(metadata, locate(root, metadata)) for metadata in known_tasks(family)]


def task_record(task: ListedTask) -> dict[str, Any]:
    """A task as plain data, for JSON."""
    metadata, location = task
    return {
        "name": metadata.name,
        "family": metadata.family,
        "classes": metadata.num_classes,
        "sizes": metadata.sizes._asdict(),
        "metric": metadata.metric,
        "multi_label": metadata.multi_label,
        "aliases": list(metadata.aliases),
        "source": location.source or None,
        "path": str(location.path) if location else None,
        "missing": list(location.missing),
        "looked": [str(path) for path in location.looked],
        "downloads": metadata.downloads,
        "how": metadata.how,
    }


PLACE = "found, or where it was looked for"
WIDE, NARROW = 100, 70  # characters of a line


def listing_table(tasks: Sequence[ListedTask], root: str, width: int = 180) -> Table:
    """The table of :func:`list_tasks`, with a section for each family; paths are shown relative to ``root``.

    Args:
        tasks: what is listed.
        root: the folder of the data sets.
        width: characters of a line; a narrow table has fewer columns.
    """
    from rich.table import Table

    below = f" below {rich_text(root)}" if root else ""
    table = Table(title=f"{len(tasks)} tasks{below}", title_justify="left")
    titles = ("task", "family", "classes", "train", "val", "test", "metric", "source", PLACE)
    shown = (
        titles if width >= WIDE else ("task", "classes", "metric", "source") if width >= NARROW else ("task", "source")
    )
    for title in shown:
        right = title in ("classes", "train", "val", "test")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != PLACE, overflow="fold")
    family = None
    for metadata, location in tasks:
        if family not in (None, metadata.family):
            table.add_section()
        family = metadata.family
        sizes = (f"{size:,}" if size else "-" for size in metadata.sizes)
        name, classes = metadata.name, str(metadata.num_classes)
        cells = dict(
            zip(titles, (name, family, classes, *sizes, metadata.metric, *_where(location, root)), strict=True)
        )
        table.add_row(*(cells[title] for title in shown))
    return table


def _where(location: Location, root: str) -> tuple[str, str]:
    """The source, and the folder or the paths that were tried."""
    if location.source == "embedded":
        return "embedded", "ships with the package"
    if location:
        missing = f" (lacks {', '.join(location.missing)})" if location.missing else ""
        return location.source, rich_text(f"{location.path}{missing}")
    looked = ", ".join(dict.fromkeys(os.path.relpath(path, root) for path in location.looked)) if root else ""
    return "[dim]-[/dim]", f"[dim]not in {rich_text(looked)}[/dim]" if looked else ""
