"""The check of a task's data: every image read once, and the counts compared with the benchmark's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mvlpt.data import Datum, build_dataset
from mvlpt.data.sources import Inspection, TaskMetadata, inspect_task, task_metadata
from mvlpt.errors import UnknownNameError
from mvlpt.io import counted, rich_text

if TYPE_CHECKING:
    from rich.table import Table


def build_whole_dataset(name: str, root: str = "", source: str = "auto") -> Any:
    """A registered data set with all its images, without few-shot sampling.

    Args:
        name: a known task, a registered data set, or the path of a task file or folder.
        root: the folder of the data sets.
        source: ``DATASET.SOURCE``.

    Raises:
        DataError: its files are missing or broken.
        UnknownNameError: nothing is registered under the name.
    """
    from mvlpt.config import get_cfg_default

    cfg = get_cfg_default()
    cfg.DATASET.ROOT, cfg.DATASET.SOURCE, cfg.SEED = root, source, 0
    cfg.freeze()
    return build_dataset(cfg, name)


def check_task(dataset: Any, name: str, progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Checks all images of a data set.

    Args:
        dataset: as :func:`build_whole_dataset` gives it.
        name: its name as the user wrote it; if it is a known task, the benchmark's counts are compared.
        progress: called with the number of images read and the total.
    """
    metadata = _known(name)
    splits, remarks = _splits(dataset)
    differs, lenient = "", ()
    if metadata is not None and getattr(dataset, "source", "") == "torchvision":
        differs, lenient = metadata.torchvision.differs, ("val",)  # no protocol of the benchmark reads the val split
        remarks += [metadata.torchvision.note] if metadata.torchvision.note else []
    found = inspect_task(splits, dataset.num_classes, metadata, differs=differs, lenient=lenient, progress=progress)
    found.remarks[:0] = remarks
    return found


def balance_table(dataset: Any, found: Inspection) -> Table:
    """Images of each split, and of its smallest and largest class."""
    from rich.table import Table

    title = f"{rich_text(dataset.name)}: {counted(dataset.num_classes, 'class')}, {dataset.metric}"
    table = Table(title=title, title_justify="left")
    table.add_column("split")
    for column in ("images", "smallest class", "largest class", "empty classes"):
        table.add_column(column, justify="right")
    for split, balance in found.balance.items():
        if balance.images:
            numbers = (balance.images, balance.smallest, balance.largest, len(balance.empty))
            table.add_row(split, *(f"{number:,}" for number in numbers))
    return table


def _known(name: str) -> TaskMetadata | None:
    """The metadata of a known task; ``None`` for a custom task."""
    try:
        return task_metadata(name)
    except UnknownNameError:
        return None


def _splits(dataset: Any) -> tuple[dict[str, list[Datum]], list[str]]:
    """The splits to check, and remarks; a split that repeats the test split (CoOp's ImageNet) is left out."""
    splits = {"train": dataset.train_x or [], "val": dataset.val or [], "test": dataset.test or []}
    remarks = []
    paths = [item.impath for item in splits["test"]]
    for split in ("train", "val"):
        if paths and [item.impath for item in splits[split]] == paths:
            splits[split] = []
            remarks.append(f"{split}: it is the test split")
    return splits, remarks
