"""A user's own images as a task, without Python: ``--dataset path/to/task.yaml`` or ``--dataset path/to/folder/``.

Missing splits are made from the training images, class by class, by a random stream of the task's name, so that the
test set does not depend on the run's seed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data import DATASET_REGISTRY, DatasetBase, Datum, SampledDataset
from mvlpt.data.sources import (
    DEFAULT_SHARES,
    ClassList,
    LinkCheck,
    ManifestRow,
    check_layout,
    check_spellings,
    class_folder_names,
    fill_splits,
    has_image,
    image_files,
    manifest_items,
    read_class_folders,
    read_manifest,
    split_folders,
)
from mvlpt.datasets.task_file import TaskFile, checked_name, name_of_path, read_task_file
from mvlpt.errors import DataError
from mvlpt.metrics import metric_problem

logger = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml")


class CustomTask(SampledDataset):
    """A task described by a :class:`TaskFile`, which gives its name, class names and metric."""

    spec: TaskFile

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        spec = self.spec
        self.dataset_dir, self.center_crop = str(spec.images), spec.center_crop
        self.transparency = spec.transparency
        if not os.path.isdir(spec.images):
            raise DataError(f"{spec.where}: the folder of the images, {spec.images}, does not exist")
        splits, classes = self._manifest() if spec.manifests else self._folders()
        unlabelled = self._unlabelled() if spec.unlabelled else []
        shares = spec.shares or DEFAULT_SHARES
        filled = fill_splits(splits, shares, task=self.name)
        made = [split for split in shares if filled[split] and split not in splits]
        self.split_origin = "rule" if made else "own"
        self.synonyms = dict(classes.synonyms)
        self.templates = spec.templates or classes.templates or DatasetBase.templates
        self.metric = spec.metric or ("11point_mAP" if self.multi_label else "accuracy")
        problem = metric_problem(self.metric, len(classes.names), multi_label=self.multi_label)
        if problem:
            raise DataError(f"{spec.where}: {problem}")
        return {**filled, "unlabelled": unlabelled}, list(classes.names)

    def _unlabelled(self) -> list[Datum]:
        """The images of a folder, whatever folders they are in, without labels."""
        folder = self.spec.unlabelled
        if not os.path.isdir(folder):
            raise DataError(f"{self.spec.where}: the folder of unlabelled images, {folder}, does not exist")
        names = image_files(folder, links=LinkCheck(folder))
        if not names:
            raise DataError(f"{self.spec.where}: the folder of unlabelled images, {folder}, contains no image")
        return [Datum(f"{folder}/{name}") for name in names]

    def _folders(self) -> tuple[dict[str, list[Datum]], ClassList]:
        root = self.spec.images
        links = LinkCheck(root)
        folders = split_folders(root) or {"train": root}
        listed = {folder / name for folder in folders.values() for name in class_folder_names(folder, links=links)}
        filled = {folder for folder in listed if has_image(folder, links)}
        names = sorted({folder.name for folder in filled})
        empty = sorted({folder.name for folder in listed} - set(names))
        if empty:
            logger.warning("%s: folders without images are ignored: %s", self.name, ", ".join(empty[:5]))
        if not names:
            raise DataError(_without_classes(root, links))
        if self.spec.classes is None:
            check_layout(root, folders, names)
            check_spellings(names, str(root))
        classes = self.spec.classes or ClassList(tuple(name.replace("_", " ") for name in names), tuple(names))
        labels = {name: classes.label(name, str(root)) for name in names}
        splits = {
            split: read_class_folders(folder, labels, classes.names, links=links) for split, folder in folders.items()
        }
        return splits, classes

    def _manifest(self) -> tuple[dict[str, list[Datum]], ClassList]:
        rows: list[ManifestRow] = []
        for split, path in self.spec.manifests.items():
            for row in read_manifest(path):
                if split and row.split not in ("", split):
                    raise DataError(f"{row.where}: the split is '{row.split}', but the file is listed as '{split}'")
                rows.append(row._replace(split=split or row.split))
        self.multi_label = self.spec.multi_label
        if self.multi_label is None:
            self.multi_label = any(len(row.words) > 1 for row in rows)
        classes = self.spec.classes or _classes_of_rows(rows, self.spec.where)
        if not classes.names:
            raise DataError(f"{self.spec.where}: no image has a label")
        splits = manifest_items(rows, classes, self.spec.images, multi_label=self.multi_label)
        if "" in splits and len(splits) > 1:
            first = next(row for row in rows if not row.split)
            raise DataError(f"{first.where}: this line has no split, but others do")
        return ({"train": splits[""]} if "" in splits else splits), classes


def _without_classes(root: Path, links: LinkCheck) -> str:
    """What a folder without class folders lacks."""
    if has_image(root, links):
        return (
            f"{root} contains images without labels; put the images of each class into a folder of its name or list"
            " labels in a manifest, or, to train without labels, name the folder as 'unlabelled' in a task file"
        )
    return f"{root} contains no class folders; a task needs one folder for each class, or a manifest"


def _classes_of_rows(rows: Sequence[ManifestRow], where: Path) -> ClassList:
    """The labels in a manifest as classes, in their order of spelling."""
    words = sorted({word for row in rows for word in row.words})
    check_spellings(words, str(where))
    return ClassList(tuple(words))


def custom_task(path: str) -> type[CustomTask]:
    """The data-set class of a task file, or of a folder of class folders.

    Raises:
        DataError: the file cannot be used.
    """
    file = Path(path)
    if file.suffix.lower() in SUFFIXES:
        spec = read_task_file(file)
    else:
        spec = TaskFile(where=file, name=checked_name(name_of_path(file.resolve()), file), images=file, manifests={})
    return type("CustomTask", (CustomTask,), {"name": spec.name, "spec": spec, "__module__": __name__})


def is_task_path(name: str) -> bool:
    """Names that end in ``.yaml``, and existing folders written with a slash, are paths."""
    return name.lower().endswith(SUFFIXES) or ("/" in name.replace(os.sep, "/") and os.path.isdir(name))


DATASET_REGISTRY.register_paths(is_task_path, custom_task)
