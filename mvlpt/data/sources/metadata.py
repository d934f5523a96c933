"""The metadata of a task: what is known before a file is read (classes, sizes, metric, layout, how to get the data)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mvlpt.data.split_sizes import SplitSizes


@dataclass(frozen=True, eq=False)
class SplitFiles:
    """Where one split lies in the official layout.

    Attributes:
        index: the index file, relative to the task's folder.
        archives: the zip files it refers to.
        images: how many images the benchmark states.
    """

    index: str
    archives: tuple[str, ...]
    images: int


@dataclass(frozen=True, eq=False)
class TorchvisionMetadata:
    """How torchvision holds the same data.

    Attributes:
        cls: name of the class in ``torchvision.datasets``.
        arguments: keyword arguments of each split; a single split ``all`` is cut by our own rule.
        folder: what must exist below ``DATASET.ROOT``.
        items: the attributes that hold paths and labels; empty where the images are arrays in memory.
        order: how its labels become the benchmark's: a mapping from folder names; ``objects`` and ``distance`` for
            labels that must be derived; else by name where all names agree, and where they do not, by a list of new
            labels, with the ``same`` numbers, or (``name``) not at all.
        downloads: torchvision can download it.
        differs: where the benchmark's split cannot be reproduced, in words; else empty.
        note: anything else worth saying.
    """

    cls: str
    arguments: Mapping[str, Mapping[str, Any]]
    folder: str
    items: tuple[str, ...]
    order: str | list[int] | Mapping[str, int]
    downloads: bool = True
    differs: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class TaskMetadata:
    """One task.

    Attributes:
        name: the canonical name, which results use.
        family: ``elevater``, ``coop`` or ``embedded``.
        num_classes: number of classes.
        sizes: images a split.
        metric: name of its metric in :mod:`mvlpt.metrics`.
        multi_label: images may have several labels.
        aliases: other names in the sources; those that mean another task (:func:`coop_namesake`) are not registered.
        counterpart: the same source of images in the other family, with other classes or another split; or empty.
        folder: the task's folder below ``DATASET.ROOT``.
        format: ``txt``, ``coco``, ``split json``, ``class folders`` or another word for its layout.
        labels_file: file of class names in the official layout, or empty.
        splits: index files and archives of the official ELEVATER layout, by split.
        files: further files of its layout, relative to the folder (CoOp).
        images: folder of the images inside the folder (CoOp).
        split_file: CoOp's split file, or empty.
        test_only: has no images to train on.
        center_crop: the benchmark resizes the short side and crops; else it squashes images to a square.
        num_templates: number of prompt templates.
        torchvision: torchvision's form of the data, or ``None``.
        how: how to get the data, in a sentence.
        extra: whatever else its reader needs (names to change, folders to leave out).
    """

    name: str
    family: str
    num_classes: int
    sizes: SplitSizes
    metric: str
    how: str
    multi_label: bool = False
    aliases: tuple[str, ...] = ()
    counterpart: str = ""
    folder: str = ""
    format: str = ""
    labels_file: str = ""
    splits: Mapping[str, SplitFiles] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    images: str = ""
    split_file: str = ""
    test_only: bool = False
    center_crop: bool = True
    num_templates: int = 1
    torchvision: TorchvisionMetadata | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def downloads(self) -> bool:
        """``mvlpt tasks download`` can fetch it."""
        return self.torchvision is not None and self.torchvision.downloads


class PromptMetadata(NamedTuple):
    """Class names in label order, further names by label, and templates of an ELEVATER task."""

    classnames: tuple[str, ...]
    synonyms: Mapping[int, tuple[str, ...]]
    templates: tuple[str, ...]
