"""Exports tuned prompts and runs for programs that know nothing of this framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.exports.card import LICENCES
    from mvlpt.exports.exporting import Exported, export
    from mvlpt.exports.formats import EXPORT_FORMATS, ExportFormat, Written, export_formats, register_export_format

_HOMES = {
    "card": ("LICENCES",),
    "exporting": ("Exported", "export"),
    "formats": ("EXPORT_FORMATS", "ExportFormat", "Written", "export_formats", "register_export_format"),
}

__all__ = [
    "EXPORT_FORMATS",
    "LICENCES",
    "ExportFormat",
    "Exported",
    "Written",
    "export",
    "export_formats",
    "register_export_format",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
