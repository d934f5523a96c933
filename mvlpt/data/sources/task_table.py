"""What is known of every shipped task before a file is touched: classes, sizes, metric, layout, how to get it.

It is data, in ``mvlpt/data/sources/benchmarks/*.json`` and in the embedded tasks' ``tasks.json``, and is read when
first asked for. Two families share some names: ELEVATER's ``caltech-101`` (102 classes) is displayed as ``Caltech101``,
which is the registered name of CoOp's data set of 100 classes. Such a name always means CoOp's.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any, NamedTuple

from mvlpt.errors import DataError, UnknownNameError, suggest

FAMILIES = ("elevater", "coop", "embedded")


class Sizes(NamedTuple):
    """Number of images in each split, as the benchmark states them; 0 where it has no such split."""

    train: int = 0
    val: int = 0
    test: int = 0


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
class TorchvisionFacts:
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
class TaskFacts:
    """One task.

    Attributes:
        name: the canonical name, which results use.
        family: ``elevater``, ``coop`` or ``embedded``.
        num_classes: number of classes.
        sizes: images a split.
        metric: name of its metric in :mod:`mvlpt.metrics`.
        multi_label: images may have several labels.
        aliases: other names in the sources; those that mean another task (:func:`owner_of`) are not registered.
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
    sizes: Sizes
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
    torchvision: TorchvisionFacts | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def downloads(self) -> bool:
        """``mvlpt tasks download`` can fetch it."""
        return self.torchvision is not None and self.torchvision.downloads


class PromptFacts(NamedTuple):
    """Class names in label order, further names by label, and templates of an ELEVATER task."""

    classnames: tuple[str, ...]
    synonyms: Mapping[int, tuple[str, ...]]
    templates: tuple[str, ...]


def known_tasks(family: str | None = None) -> list[TaskFacts]:
    """All shipped tasks, family by family in the benchmark's order.

    Args:
        family: only this one.
    """
    chosen = FAMILIES if family is None else (family,)
    return [facts for one in chosen for facts in _family(one).values()]


def task_facts(name: str) -> TaskFacts:
    """A task by its canonical name or an alias.

    Raises:
        UnknownNameError: no such task, or the name could mean two; the message says which.
    """
    canonical = resolve(name)
    for family in FAMILIES:
        if canonical in _family(family):
            return _family(family)[canonical]
    raise UnknownNameError(f"No task is named '{name}'{suggest(name, [facts.name for facts in known_tasks()])}")


def resolve(name: str) -> str:
    """The canonical name behind an alias; a name that is none is returned as it is."""
    return alias_table().get(name, name)


def ambiguity(name: str) -> str:
    """A sentence for a name that two families use in different spellings, or an empty one."""
    for facts in _family("elevater").values():
        owner = owner_of(name, facts)
        if owner and name != owner and name in facts.aliases:
            return (
                f"'{name}' could mean CoOp's {owner} ({_family('coop')[owner].num_classes} classes) or ELEVATER's "
                f"{facts.name} ({facts.num_classes} classes), which differ; write '{owner}' or '{facts.name}'"
            )
    return ""


def owner_of(alias: str, facts: TaskFacts) -> str:
    """CoOp's data set that an alias of an ELEVATER task also names, whatever the case; or an empty string."""
    if facts.family != "elevater":
        return ""
    return next((other for other in _family("coop") if other.lower() == alias.lower()), "")


@functools.cache
def alias_table() -> Mapping[str, str]:
    """Aliases with one meaning, and the canonical names they stand for."""
    table = {
        alias: facts.name
        for facts in known_tasks()
        for alias in facts.aliases
        if not owner_of(alias, facts) and not any(alias in _family(family) for family in FAMILIES)
    }
    return MappingProxyType(table)


def prompt_facts(name: str) -> PromptFacts:
    """ELEVATER's class names and templates of a task, by canonical name or alias.

    Raises:
        UnknownNameError: the task has none.
    """
    table = read_facts("elevater_prompts")["tasks"]
    canonical = resolve(name)
    if canonical not in table:
        raise UnknownNameError(f"ELEVATER has no prompts for '{name}'{suggest(name, table)}")
    row = table[canonical]
    synonyms = {int(label): tuple(names) for label, names in row.get("synonyms", {}).items()}
    return PromptFacts(tuple(row["classnames"]), MappingProxyType(synonyms), tuple(row["templates"]))


@functools.cache
def read_facts(name: str) -> Mapping[str, Any]:
    """The content of ``mvlpt/data/sources/benchmarks/NAME.json``."""
    file = resources.files("mvlpt").joinpath("data", "sources", "benchmarks", f"{name}.json")
    return MappingProxyType(json.loads(file.read_text(encoding="utf-8")))


@functools.cache
def _family(name: str) -> Mapping[str, TaskFacts]:
    if name not in FAMILIES:
        raise UnknownNameError(f"No family of tasks is named '{name}'{suggest(name, FAMILIES)}")
    if name == "embedded":
        return MappingProxyType(_embedded())
    make = {"elevater": _elevater_row, "coop": _coop_row}[name]
    return MappingProxyType({task: make(task, row) for task, row in read_facts(name)["tasks"].items()})


def _elevater_row(name: str, row: Mapping[str, Any]) -> TaskFacts:
    splits = {
        split: SplitFiles(files["index"], tuple(files["archives"]), files["images"])
        for split, files in row["splits"].items()
    }
    source = row.get("torchvision")
    return TaskFacts(
        name=name,
        family="elevater",
        num_classes=row["classes"],
        sizes=Sizes(**{split: files.images for split, files in splits.items()}),
        metric=row["metric"],
        how=row["how"],
        multi_label=row["multi_label"],
        aliases=tuple(row["aliases"]),
        counterpart=row["counterpart"],
        folder=row["folder"],
        format=row["format"],
        labels_file=row["labels_file"],
        splits=MappingProxyType(splits),
        center_crop=row["center_crop"],
        num_templates=len(read_facts("elevater_prompts")["tasks"][name]["templates"]),
        torchvision=TorchvisionFacts(**{**source, "items": tuple(source["items"])}) if source else None,
    )


def _coop_row(name: str, row: Mapping[str, Any]) -> TaskFacts:
    return TaskFacts(
        name=name,
        family="coop",
        num_classes=row["classes"],
        sizes=Sizes(**row["sizes"]),
        metric=row["metric"],
        how=row["how"],
        counterpart=row["counterpart"],
        folder=row["folder"],
        format=row["raw"],
        files=tuple(row["files"]),
        images=row["images"],
        split_file=row["split_file"],
        test_only=row["test_only"],
        num_templates=len(row["templates"]),
        extra=MappingProxyType({key: row[key] for key in ("templates", "ignored", "renamed") if key in row}),
    )


def _embedded() -> dict[str, TaskFacts]:
    path = resources.files("mvlpt").joinpath("assets", "tasks", "tasks.json")
    if not path.is_file():
        return {}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    except (ValueError, KeyError) as error:
        raise DataError(f"The table of tasks {path} cannot be read: {error!r}") from error
    return {
        name: TaskFacts(
            name=name,
            family="embedded",
            num_classes=len(row["classes"]),
            sizes=Sizes(**{split: row["images"].get(split, 0) for split in Sizes._fields}),
            metric=row.get("metric", "accuracy"),
            how="It ships with the package",
            folder=name,
            format="txt",
            labels_file="labels.txt",
            num_templates=len(row.get("templates", ("one",))),
        )
        for name, row in rows.items()
    }
