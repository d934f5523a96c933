"""The registry of export formats; a plugin adds one by registering it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mvlpt.registry import Registry

if TYPE_CHECKING:
    from mvlpt.inference import Classifier

SHIPPED = ("open_clip_weights", "torchscript", "onnx_file")  # modules of this package that register a format

EXPORT_FORMATS = Registry("export format")


@dataclass(frozen=True)
class Written:
    """What a format has written.

    Attributes:
        usage: Python that uses the files, shown to the user and in the card; it runs in the folder.
        verified: how the files were checked, a sentence; or why they were not.
        library: name of the library that reads the files, as the Hub knows it.
        difference: the largest difference from the logits of this framework; ``None`` if it was not measured.
    """

    usage: str
    verified: str
    library: str
    difference: float | None = None


@dataclass(frozen=True)
class ExportFormat:
    """A format.

    Attributes:
        name: as in ``--to``.
        help: what it is for, part of a sentence.
        write: writes the files of a classifier into a folder that exists, and checks them. It raises
            :class:`mvlpt.errors.MvlptError` where the classifier does not fit the format.
    """

    name: str
    help: str
    write: Callable[[Classifier, Path], Written]


def register_export_format(name: str, help: str) -> Callable[[Callable[[Classifier, Path], Written]], ExportFormat]:
    """Registers the decorated function as the ``write`` of a format.

    Args:
        name: see :class:`ExportFormat`.
        help: likewise.
    """

    def decorate(write: Callable[[Classifier, Path], Written]) -> ExportFormat:
        format = ExportFormat(name, help, write)
        EXPORT_FORMATS.register(format, name=name)
        return format

    return decorate


def export_formats() -> list[ExportFormat]:
    """All formats, those that are shipped first."""
    for module in SHIPPED:
        importlib.import_module(f"mvlpt.exports.{module}")
    return [EXPORT_FORMATS.get(name) for name in EXPORT_FORMATS]
