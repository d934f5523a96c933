"""ELEVATER's 20 image-classification tasks, built from their metadata (:mod:`mvlpt.data.sources.task_table`).

Images are read straight from the benchmark's archives, or from torchvision's copy of the data, or from class folders;
``DATASET.SOURCE`` chooses, ``auto`` takes the first that exists. Class names and templates are always the benchmark's,
so that class ids have the same meaning for all sources.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.data import DATASET_REGISTRY, Datum, SampledDataset
from mvlpt.data.sources import (
    Location,
    TaskMetadata,
    alias_table,
    ambiguity,
    benchmark_shares,
    class_folder_names,
    how_to_get,
    known_tasks,
    match_by_name,
    normalized_name,
    prompt_metadata,
    read_categories,
    read_class_folders,
    read_coco,
    read_index,
    read_labels,
    read_torchvision,
    require_location,
    split_by_shares,
    split_folders,
    task_metadata,
)
from mvlpt.errors import DataError

logger = logging.getLogger(__name__)

Splits = dict[str, list[Datum]]


class ElevaterTask(SampledDataset):
    """One of the 20 tasks.

    Attributes:
        metadata: its metadata.
        source: where it was read from: ``official``, ``torchvision`` or ``folder``.
        location: where its files were found.
        center_crop: as in the benchmark; with ``TRAINER.LEGACY`` the value of ``DATASET.CENTER_CROP``.
    """

    metadata: TaskMetadata
    transparency = "drop"

    def read(self, cfg: Any) -> tuple[Splits, list[str]]:
        location = require_location(cfg.DATASET.ROOT, self.metadata, cfg.DATASET.SOURCE)
        self.location, self.source = location, location.source
        self.center_crop = cfg.DATASET.CENTER_CROP if cfg.TRAINER.LEGACY else self.metadata.center_crop
        self.dataset_dir = str(location.path)
        classnames = list(prompt_metadata(self.name).classnames)
        splits = {"official": self._official, "torchvision": self._torchvision, "folder": self._folder}[self.source](
            location, classnames
        )
        for split in ("train", "test"):
            if not splits.get(split):
                raise DataError(f"'{self.name}' has no {split} images in {location.path}. {how_to_get(self.metadata)}")
        return splits, classnames

    def _official(self, location: Location, classnames: Sequence[str]) -> Splits:
        self.split_origin = "official"
        folder = location.path
        self._check_lists(location)
        self._check_names(folder, classnames)
        splits: Splits = {}
        for split, files in self.metadata.splits.items():
            absent = set(location.missing) & {files.index, *files.archives}
            read = read_coco if self.metadata.format == "coco" else read_index
            try:
                splits[split] = read(folder / files.index, classnames, multi_label=self.multi_label)
            except DataError as error:  # a missing archive may have been unpacked beside the index
                if not absent:
                    raise
                if split != "val":
                    raise DataError(f"{error}. {how_to_get(self.metadata)}") from error
                logger.warning("%s: %s; there are no val images", self.name, error)
        return splits

    def _check_lists(self, location: Location) -> None:
        """All lists must exist except that of the val split."""
        optional = {files.index for split, files in self.metadata.splits.items() if split == "val"}
        needed = {self.metadata.labels_file, *(files.index for files in self.metadata.splits.values())} - optional
        for name in location.missing:
            if name in needed:
                raise DataError(f"'{self.name}': {location.path / name} does not exist. {how_to_get(self.metadata)}")

    def _check_names(self, folder: Path, classnames: Sequence[str]) -> None:
        """The class list of the data must be as long as the benchmark's; a different order is only a warning, since the
        benchmark uses class numbers."""
        path = folder / (self.metadata.labels_file or self.metadata.splits["train"].index)
        own = read_categories(path) if self.metadata.format == "coco" else read_labels(path)
        if len(own) != len(classnames):
            raise DataError(f"{path} names {len(own)} classes, but '{self.name}' has {len(classnames)}")
        theirs, ours = [normalized_name(name) for name in own], [normalized_name(name) for name in classnames]
        if theirs != ours and sorted(theirs) == sorted(ours):
            logger.warning("%s: %s has the benchmark's class names in another order", self.name, path)

    def _torchvision(self, location: Location, classnames: Sequence[str]) -> Splits:
        source = self.metadata.torchvision
        self.split_origin = "torchvision" if source.differs else "official"
        if source.differs:
            logger.warning("%s: %s; results are marked with the split 'torchvision'", *(self.name, source.differs))
        try:
            return read_torchvision(location.path, self.metadata, classnames)
        except DataError as error:
            raise DataError(f"{error}. {how_to_get(self.metadata)}") from error

    def _folder(self, location: Location, classnames: Sequence[str]) -> Splits:
        """Class folders below split folders; without them, splits by rule with the benchmark's shares."""
        if self.multi_label:
            raise DataError(f"'{self.name}' is multi-label, which class folders cannot represent: {location.path}")
        splits = {
            split: read_class_folders(folder, self._labels(folder, classnames), classnames)
            for split, folder in split_folders(location.path).items()
        }
        self.split_origin = "folder" if splits else "rule"
        if splits:
            return splits
        logger.warning("%s: %s has no splits; they are made by rule", self.name, location.path)
        items = read_class_folders(location.path, self._labels(location.path, classnames), classnames)
        return split_by_shares(items, benchmark_shares(self.metadata.sizes._asdict()), task=self.name)

    @staticmethod
    def _labels(folder: Path, classnames: Sequence[str]) -> dict[str, int]:
        """Labels of class folders, which are named after the classes or by their numbers."""
        names = class_folder_names(folder)
        if all(name.isdecimal() for name in names):
            return {name: int(name) for name in names if int(name) < len(classnames)}
        return match_by_name(names, classnames, str(folder))


def elevater_task(name: str) -> type[ElevaterTask]:
    """The data-set class of one task, by canonical name or alias."""
    metadata = task_metadata(name)
    prompts = prompt_metadata(metadata.name)
    fields = {
        "name": metadata.name,
        "metadata": metadata,
        "metric": metadata.metric,
        "multi_label": metadata.multi_label,
        "templates": prompts.templates,
        "synonyms": dict(prompts.synonyms),
        "__doc__": f"ELEVATER's task '{metadata.name}'.",
        "__module__": __name__,
    }
    return type("ElevaterTask", (ElevaterTask,), fields)


DATASET_REGISTRY.register_family(lambda: [metadata.name for metadata in known_tasks("elevater")], elevater_task)
DATASET_REGISTRY.register_aliases(alias_table, ambiguity)
