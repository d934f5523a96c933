"""CoOp's data sets and ImageNet's shifted versions, under the names CoOp registers.

The splits come from the shared file ``split_zhou_NAME.json``. If it is missing, they are made by the same rules from
the raw files, with a different random stream, and stored beside the data as ``split_mvlpt_NAME.json``. That split
differs from CoOp's, so results are marked (``split_origin`` is ``rule``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data import DATASET_REGISTRY, Datum, SampledDataset
from mvlpt.data.sources import (
    COOP_SHARES,
    LinkCheck,
    TaskMetadata,
    how_to_get,
    known_tasks,
    read_split,
    require_location,
    split_by_shares,
    task_metadata,
    write_split,
)
from mvlpt.datasets.coop_raw import as_items, read_raw
from mvlpt.datasets.imagenet import ImageNetTask, ImageNetVariant
from mvlpt.errors import DataError

logger = logging.getLogger(__name__)

VAL_SHARE = 0.2
ALL_THREE = "per class round(50 %) train, round(20 %) val, the rest test, shuffled by a stream of the task's name"
TRAINVAL = "official test; round(20 %) of each class of trainval is val, shuffled by a stream of the task's name"


class CoopTask(SampledDataset):
    """A data set with a split file, or raw files to build one from.

    Attributes:
        metadata: its metadata.
        source: ``split file``, ``built``, or ``lists`` if the raw data have all three lists.
    """

    metadata: TaskMetadata
    transparency = "drop"

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        folder = require_location(cfg.DATASET.ROOT, self.metadata).path
        images = folder / self.metadata.images if self.metadata.images else folder
        self.dataset_dir = str(folder)
        shared, own = folder / self.metadata.split_file, folder / f"split_mvlpt_{self.name}.json"
        if self.metadata.split_file and shared.is_file():
            self.source, self.split_origin = "split file", "official"
            splits, names = read_split(shared, images)
            self._check_files(splits, images, f". {how_to_get(self.metadata)}")
        elif self.metadata.split_file and own.is_file():
            self.source, self.split_origin = "built", "rule"
            splits, names = read_split(own, images)
            self._check_files(splits, images, f"; delete {own} to make the split again")
        else:
            splits, names = self._build(folder, images, own)
        return splits, names

    def _build(self, folder: Path, images: Path, own: Path) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        try:
            raw = read_raw(folder, self.metadata)
        except DataError as error:
            split = self.metadata.split_file
            needed = f" (needed because there is no {folder / split})" if split else ""
            raise DataError(f"{error}{needed}. {how_to_get(self.metadata)}") from error
        lists = {split: as_items(rows, images, f"'{self.name}'") for split, rows in raw.items()}
        if "all" in lists:
            splits, rule = split_by_shares(lists["all"], COOP_SHARES, task=self.name, rest="test"), ALL_THREE
        elif "trainval" in lists:
            cut = split_by_shares(lists["trainval"], {"val": VAL_SHARE}, task=self.name)
            splits, rule = {**cut, "test": lists["test"]}, TRAINVAL
        else:
            splits, rule = lists, ""
        if not splits["train"]:
            raise DataError(f"'{self.name}' has no training images in {images}. {how_to_get(self.metadata)}")
        self._check_files(splits, images, f". {how_to_get(self.metadata)}")
        self.source, self.split_origin = ("built", "rule") if rule else ("lists", "official")
        if rule:
            logger.warning(
                "%s: %s does not exist; the split is made by rule (%s)", self.name, self.metadata.split_file, rule
            )
            write_split(own, splits, images, rule)
        return splits, self.get_lab2cname([item for items in splits.values() for item in items])[1]

    def _check_files(self, splits: Mapping[str, Sequence[Datum]], images: Path, remedy: str) -> None:
        links = LinkCheck(images)
        for split, items in splits.items():
            where = f"'{self.name}', {split}"
            missing = next((item.impath for item in items if not links.is_file(item.impath, where)), None)
            if missing is not None:
                raise DataError(f"'{self.name}' lists {missing} in {split}, but the file does not exist{remedy}")


def coop_task(name: str) -> type[SampledDataset]:
    """The data-set class of one task."""
    metadata = task_metadata(name)
    base: type[SampledDataset] = CoopTask
    if metadata.format == "imagenet":
        base = ImageNetVariant if metadata.test_only else ImageNetTask
    fields = {
        "name": metadata.name,
        "metadata": metadata,
        "metric": metadata.metric,
        "templates": tuple(metadata.extra["templates"]),
        "__doc__": f"CoOp's data set {metadata.name}.",
        "__module__": __name__,
    }
    return type(base.__name__, (base,), fields)


DATASET_REGISTRY.register_family(lambda: [metadata.name for metadata in known_tasks("coop")], coop_task)
