"""One labelled image: Dassl's ``Datum``, with several labels allowed."""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.context import get_spawning_popen
from numbers import Integral
from typing import Any

from mvlpt.errors import DataError
from mvlpt.io import short_repr

Label = int | tuple[int, ...]
DASSL_MODULE = "dassl.data.datasets.base_dataset"  # where Dassl has its class of this name


class Datum:
    """An image's path, label, domain and class name.

    The public properties are read-only. The private fields may be written, as Dassl-style code does; inside this
    package nothing writes them (:class:`mvlpt.data.tasks.MultiTaskDataset` makes new objects).

    Args:
        impath: path of a file, or ``archive.zip@entry``.
        label: class id counted from 0, or the ids of a multi-label image (any iterable, possibly empty).
        domain: domain id; in a multitask data set the index of the task.
        classname: the class's name, empty for a multi-label image.

    Raises:
        DataError: the path is no string, or the label is neither a whole number nor several.
    """

    def __init__(self, impath: str = "", label: int | Iterable[int] = 0, domain: int = 0, classname: str = "") -> None:
        if not isinstance(impath, str):
            raise DataError(f"An image path must be a string, got {impath!r} of type {type(impath).__name__}")
        self._impath = impath
        self._label: Label = int(label) if isinstance(label, Integral) else _several(label, impath)
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

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickles as Dassl's class where code for Dassl may write and read the file, else as this one."""
        if type(self) is not Datum:
            return super().__reduce_ex__(protocol)
        dassl_class = getattr(sys.modules.get(DASSL_MODULE), "Datum", None)
        if dassl_class is None or get_spawning_popen() is not None:
            return _rebuild, (self._impath, self._label, self._domain, self._classname)
        return copyreg.__newobj__, (dassl_class,), self.__dict__

    def __repr__(self) -> str:
        return f"Datum({self._impath!r}, label={self._label}, domain={self._domain}, classname={self._classname!r})"


def _several(label: Any, impath: str) -> tuple[int, ...]:
    """The ids of a multi-label image."""
    if not isinstance(label, str):  # its characters would be ids
        with suppress(TypeError, ValueError):
            return tuple(int(one) for one in label)
    raise DataError(f"The label of {impath} is {short_repr(label)}; give the number of its class")


def _rebuild(*fields: Any) -> Datum:
    """What pickles of this package name, whatever name the class goes by."""
    return Datum(*fields)


def labels_of(item: Datum) -> tuple[int, ...]:
    """The item's labels as a tuple, also if it has only one."""
    return item.label if isinstance(item.label, tuple) else (item.label,)
