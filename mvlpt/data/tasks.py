"""Several tasks as one data set: the union of their classes, their merged splits, and a description of each task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.datum import Datum
from mvlpt.data.split_sizes import SplitSizes
from mvlpt.errors import DataError
from mvlpt.io import file_name


@dataclass(frozen=True)
class TaskInfo:
    """The description of a task that trainers and evaluators use.

    Attributes:
        name: the task's name.
        classnames: its class names in label order.
        start, stop: its classes' range in the union's label space.
        metric: name of its metric.
        multi_label: its images may have several labels.
        templates: its prompt templates.
        sizes: number of images in each split.
        split_origin: where the splits come from (:class:`DatasetBase`).
        center_crop: its benchmark evaluates the centre of an image, not the whole image.
        transparency: how its transparent images are read (:class:`DatasetBase`).
    """

    name: str
    classnames: tuple[str, ...]
    start: int
    stop: int
    metric: str
    multi_label: bool
    templates: tuple[str, ...]
    sizes: SplitSizes
    split_origin: str = ""
    center_crop: bool = True
    transparency: str = "white"

    @property
    def num_classes(self) -> int:
        return self.stop - self.start

    @classmethod
    def of(cls, dataset: Any, start: int = 0) -> TaskInfo:
        """The description of a data set whose first class has the id ``start`` in the union.

        Args:
            dataset: a :class:`DatasetBase`, or anything with Dassl's attributes.
        """
        return cls(
            name=getattr(dataset, "name", "") or type(dataset).__name__,
            classnames=tuple(dataset.classnames),
            start=start,
            stop=start + dataset.num_classes,
            metric=getattr(dataset, "metric", DatasetBase.metric),
            multi_label=bool(getattr(dataset, "multi_label", False)),
            templates=tuple(getattr(dataset, "templates", DatasetBase.templates)),
            sizes=SplitSizes.of(dataset),
            split_origin=getattr(dataset, "split_origin", ""),
            center_crop=getattr(dataset, "center_crop", DatasetBase.center_crop),
            transparency=getattr(dataset, "transparency", DatasetBase.transparency),
        )

    def as_record(self) -> dict[str, Any]:
        """What a classifier needs to know of the task, as plain containers: all but its range and its sizes."""
        return {
            "name": self.name,
            "class_names": list(self.classnames),
            "metric": self.metric,
            "multi_label": self.multi_label,
            "templates": list(self.templates),
            "center_crop": self.center_crop,
            "transparency": self.transparency,
        }

    @classmethod
    def from_record(cls, record: Any, start: int = 0, source: str = "the record") -> TaskInfo:
        """Reads what :meth:`as_record` made; what is missing, besides name and classes, has its default.

        Args:
            record: of one task.
            start: the id of its first class.
            source: what holds the record, for messages.

        Raises:
            DataError: it is damaged.
        """
        known = record if isinstance(record, Mapping) else {}
        names, templates = known.get("class_names"), known.get("templates", list(DatasetBase.templates))
        sound = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
        sound = sound and isinstance(known.get("name"), str) and isinstance(templates, list)
        if not sound:
            raise DataError(f"The record of a task in {source} is damaged: {record!r:.100}")
        return cls(
            name=known["name"],
            classnames=tuple(names),
            start=start,
            stop=start + len(names),
            metric=str(known.get("metric", DatasetBase.metric)),
            multi_label=known.get("multi_label") is True,
            templates=tuple(map(str, templates)),
            sizes=SplitSizes(0, 0, 0),
            center_crop=known.get("center_crop", DatasetBase.center_crop) is not False,
            transparency="drop" if known.get("transparency") == "drop" else "white",
        )


def check_names(names: Sequence[str], where: Sequence[str] = ()) -> None:
    """Refuses two tasks of one name, which an alias or a second folder can cause, or whose files would have one name.

    Args:
        names: of the tasks, as in results.
        where: the file or folder of each task; empty for a task that has none.

    Raises:
        DataError: two names are the same or alike; the message says how to give one another name.
    """
    places = dict(enumerate(where))
    known: dict[str, int] = {}
    for second, name in enumerate(names):
        first = known.setdefault(file_name(name), second)
        if first != second:
            _refuse(names[first], name, [place for place in map(places.get, (first, second)) if place])


def _refuse(one: str, other: str, folders: Sequence[str]) -> NoReturn:
    """Refuses two tasks, some of which are read from files or folders."""
    listed = f" ({' and '.join(folders)})" if len(folders) > 1 else ""
    if one == other:
        problem = f"Two tasks are named '{one}'{listed}; results tell tasks apart by their names"
    else:
        problem = f"The files of the tasks '{one}' and '{other}'{listed} would have the same name, {file_name(one)}"
    if not folders:
        raise DataError(f"{problem}; give each task a name of its own")
    raise DataError(
        f"{problem}: write a task file, such as {other}-2.yaml with the lines 'name: {other}-2' and"
        f" 'images: {os.path.normpath(folders[-1])}', and name that file instead"
    )


class MultiTaskDataset(DatasetBase):
    """The union of several data sets, in the order given.

    Labels are shifted by the number of classes of the tasks before, and an item's domain is the index of its task.
    Items are new objects: the members keep their labels, and a list that a member uses for two splits is shifted once.

    Args:
        members: the data sets, of different names.

    Attributes:
        tasks: one :class:`TaskInfo` for each member.
        members: the data sets themselves.

    Raises:
        DataError: no member, or two of one name.
    """

    def __init__(self, members: Sequence[Any]) -> None:
        if not members:
            raise DataError("A multitask data set needs at least one task")
        self.members = list(members)
        self.tasks: list[TaskInfo] = []
        start = 0
        for member in self.members:
            self.tasks.append(TaskInfo.of(member, start))
            start = self.tasks[-1].stop
        names = [task.name for task in self.tasks]
        check_names(names, [str(getattr(member, "dataset_dir", "") or "") for member in self.members])
        self.name = ",".join(names)
        self.multi_label = any(task.multi_label for task in self.tasks)
        self.domains = names
        super().__init__(
            train_x=self._merged("train_x"),
            train_u=self._merged("train_u"),
            val=self._merged("val"),
            test=self._merged("test"),
            classnames=[name for task in self.tasks for name in task.classnames],
        )

    def _merged(self, split: str) -> list[Datum] | None:
        """The members' items of one split, or ``None`` where no member has any."""
        merged: list[Datum] = []
        for index, (member, task) in enumerate(zip(self.members, self.tasks, strict=True)):
            for item in getattr(member, split, None) or ():
                label = item.label
                shifted = tuple(one + task.start for one in label) if isinstance(label, tuple) else label + task.start
                merged.append(Datum(item.impath, shifted, index, item.classname))
        return merged or None
