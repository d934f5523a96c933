"""The embedded tasks: real few-shot tasks that ship with the package, each registered under its own name.

A folder of tasks contains ``tasks.json`` and, for each task, ``labels.txt``, ``train.txt``, ``val.txt``, ``test.txt``
and ``images.zip``. The table is read when a name is first asked for, never on import.
"""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Any

from mvlpt.data import DATASET_REGISTRY, DatasetBase, Datum, SampledDataset
from mvlpt.data.sources import read_index, read_labels
from mvlpt.errors import DataError, UnknownNameError, suggest
from mvlpt.io import read_json

FORMAT_VERSION = 1


class EmbeddedTask(SampledDataset):
    """One task of a folder in the embedded layout. ``DATASET.ROOT`` is not used; ``val.txt`` may be empty.

    Attributes:
        folder: the task's folder.
        subject: what its classes have in common, from the table.
        look: how its images are rendered.
    """

    folder: Path = Path()
    subject: str = ""
    look: str = ""

    split_origin = "official"

    def read(self, cfg: Any) -> tuple[dict[str, list[Datum]], list[str]]:
        self.dataset_dir = str(self.folder)
        classnames = read_labels(self.folder / "labels.txt")
        splits = {
            split: read_index(self.folder / f"{split}.txt", classnames, allow_empty=split == "val")
            for split in ("train", "val", "test")
        }
        return splits, classnames


def embedded_root() -> Path:
    """The folder of the shipped tasks."""
    return Path(str(resources.files("mvlpt"))) / "assets" / "tasks"


def read_table(root: Path) -> dict[str, dict[str, Any]]:
    """The rows of a folder's ``tasks.json`` by task name.

    Raises:
        DataError: the table is missing or cannot be read.
    """
    return _read_table(root, (root / "tasks.json").stat().st_mtime_ns if (root / "tasks.json").exists() else 0)


@functools.lru_cache(maxsize=16)
def _read_table(root: Path, _changed: int) -> dict[str, dict[str, Any]]:
    path = root / "tasks.json"
    table = read_json(path, error=DataError, missing=f"The table of tasks {path} does not exist")
    if not isinstance(table, dict) or not isinstance(table.get("tasks"), dict):
        raise DataError(f"The table of tasks {path} cannot be read: it has no 'tasks'; make the tasks again")
    if table.get("format_version") != FORMAT_VERSION:
        raise DataError(f"{path} has format {table.get('format_version')}; this version reads format {FORMAT_VERSION}")
    return table["tasks"]


def embedded_names(root: Path | None = None) -> list[str]:
    """Names of the tasks in a folder, by default of those that ship; empty if there is no table."""
    root = root or embedded_root()
    return list(read_table(root)) if (root / "tasks.json").exists() else []


def embedded_task(name: str, root: Path | None = None) -> type[EmbeddedTask]:
    """The data-set class of one task.

    Args:
        name: the task's name in the table.
        root: the folder of tasks, by default the shipped one.

    Raises:
        UnknownNameError: the table has no such task.
    """
    root = root or embedded_root()
    table = read_table(root)
    if name not in table:
        raise UnknownNameError(f"{root / 'tasks.json'} has no task '{name}'{suggest(name, table)}")
    row = table[name]
    fields = {
        "name": name,
        "folder": root / name,
        "subject": row.get("subject", ""),
        "look": row.get("look", ""),
        "templates": tuple(row.get("templates", DatasetBase.templates)),
        "__doc__": f"The embedded task '{name}'.",
        "__module__": __name__,
    }
    return type("EmbeddedTask", (EmbeddedTask,), fields)


DATASET_REGISTRY.register_family(embedded_names, embedded_task)
