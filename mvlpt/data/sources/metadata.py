"""The metadata of a task: what is known before a file is read (classes, sizes, metric, layout, how to get the data)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mvlpt.data.split_sizes import SplitSizes


@dataclass(frozen=True, eq=False)
class SplitFiles:
    """The files of one split in the official layout.

    Attributes:
        index: the index file, relative to the task's folder.
        archives: the zip files it refers to.
        images: number of images according to the benchmark.
    """

    index: str
    archives: tuple[str, ...]
    images: int


@dataclass(frozen=True, eq=False)
class TorchvisionMetadata:
    """How torchvision stores the same data.

    Attributes:
        cls: name of the class in ``torchvision.datasets``.
        arguments: keyword arguments of each split; a single split ``all`` is divided by rule.
        folder: what must exist below ``DATASET.ROOT``.
        items: the attributes with paths and labels; empty if the images are arrays in memory.
        order: how its labels are mapped to the benchmark's: a mapping from folder names; ``objects`` and ``distance``
            for derived labels; else by name if all names agree, and otherwise by a list of new labels, unchanged
            (``same``), or not at all (``name``).
        downloads: torchvision can download it.
        differs: why the benchmark's split cannot be reproduced; empty if it can.
        note: a further remark, or empty.
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
    """The metadata of one task.

    Attributes:
        name: the canonical name, used in results.
        family: ``elevater``, ``coop`` or ``embedded``.
        num_classes: number of classes.
        sizes: number of images in each split.
        metric: name of its metric in :mod:`mvlpt.metrics`.
        multi_label: whether images may have several labels.
        aliases: other names in the sources; those that mean another task (:func:`coop_namesake`) are not registered.
        counterpart: the task of the other family with the same images but other classes or splits; or empty.
        folder: the task's folder below ``DATASET.ROOT``.
        format: ``txt``, ``coco``, ``split json``, ``class folders`` or another name of its layout.
        labels_file: file of class names in the official layout, or empty.
        splits: index files and archives of the official ELEVATER layout, by split.
        files: further files of its layout, relative to the folder (CoOp).
        images: folder of the images inside the folder (CoOp).
        split_file: CoOp's split file, or empty.
        test_only: it has no training images.
        center_crop: the benchmark resizes the shorter side and crops the centre; else it squashes images to a square.
        num_templates: number of prompt templates.
        torchvision: torchvision's version of the data, or ``None``.
        how: how to get the data, in a sentence.
        extra: further data for its reader (renamed classes, ignored folders).
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
