"""One labelled image: Dassl's ``Datum``, with several labels allowed."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral

from mvlpt.errors import DataError

Label = int | tuple[int, ...]


class Datum:
    """An image's path, label, domain and class name.

    The public properties are read-only. The private fields may be written, as Dassl-style code does; inside this
    package nothing writes them (:class:`mvlpt.data.tasks.MultiTaskDataset` makes new objects).

    Args:
        impath: path of a file, or ``archive.zip@entry``.
        label: class id counted from 0, or the ids of a multi-label image (any iterable, possibly empty).
        domain: domain id; in a multitask data set the index of the task.
        classname: the class's name, empty for a multi-label image.
    """

    def __init__(self, impath: str = "", label: int | Iterable[int] = 0, domain: int = 0, classname: str = "") -> None:
        if not isinstance(impath, str):
            raise DataError(f"An image path must be a string, got {impath!r} of type {type(impath).__name__}")
        self._impath = impath
        self._label: Label = int(label) if isinstance(label, Integral) else tuple(int(one) for one in label)
        self._domain = domain
        self._classname = classname

    @property
    def impath(self) -> str:
        return self._impath

    @property
    def label(self) -> Label:
        return self._label

    @property
    def domain(self) -> int:
        return self._domain

    @property
    def classname(self) -> str:
        return self._classname

    def __repr__(self) -> str:
        return f"Datum({self._impath!r}, label={self._label}, domain={self._domain}, classname={self._classname!r})"


def labels_of(item: Datum) -> tuple[int, ...]:
    """The item's labels as a tuple, also if it has only one."""
    return item.label if isinstance(item.label, tuple) else (item.label,)
