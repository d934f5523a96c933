"""What ``mvlpt train`` shows of the classes of each task: ``TEST.PER_CLASS_RESULT`` and ``TEST.COMPUTE_CMAT``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from yacs.config import CfgNode

from mvlpt.cli.common import show
from mvlpt.engine import ClassResults, read_evaluation
from mvlpt.errors import MissingExtraError
from mvlpt.report import Sheet
from mvlpt.report.classes import classes_sheet, confusion_sheet, save_class_figure, save_confusions

Save = Callable[[ClassResults, Path], list[Path]]
PARTS: tuple[tuple[str, Callable[[ClassResults], Sheet], Save], ...] = (
    ("PER_CLASS_RESULT", classes_sheet, save_class_figure),
    ("COMPUTE_CMAT", confusion_sheet, save_confusions),
)


def show_classes(cfg: CfgNode, folder: Path) -> None:
    """Prints the tables that the options ask for, and draws each into the run's folder.

    Raises:
        RunFolderError: the folder's ``evaluation.json`` cannot be read.
    """
    wanted = [part for part in PARTS if cfg.TEST[part[0]]]
    drawn: list[Path] = []
    for results in read_evaluation(folder).values() if wanted else ():
        for _, sheet, save in wanted:
            show(sheet(results))
            try:
                drawn += save(results, folder)
            except MissingExtraError as error:
                show(str(error))
                wanted = [(name, sheet, lambda results, folder: []) for name, sheet, _ in wanted]
    if drawn:
        show(f"pictures: {', '.join(path.name for path in drawn if path.suffix == '.png')} in {folder}")
