"""How well each class of a task is recognised: tables for the terminal, pictures for the run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.classes.class_figures import draw_classes, draw_confusions, save_class_figure, save_confusions
    from mvlpt.report.classes.class_sheets import classes_sheet, confusion_sheet, most_confused

_HOMES = {
    "class_figures": ("draw_classes", "draw_confusions", "save_class_figure", "save_confusions"),
    "class_sheets": ("classes_sheet", "confusion_sheet", "most_confused"),
}

__all__ = [
    "classes_sheet",
    "confusion_sheet",
    "draw_classes",
    "draw_confusions",
    "most_confused",
    "save_class_figure",
    "save_confusions",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
