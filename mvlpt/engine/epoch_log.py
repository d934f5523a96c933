"""What every epoch has shown, one line each in files of the run's folder that any program reads.

``metrics.csv`` has a line for each epoch, :data:`METRICS_FIELDS`; a run on several tasks also writes
``task_metrics.csv``, with a line for each epoch and task, :data:`TASK_METRICS_FIELDS`. Accuracies are in percent. The
training ones are means over the batches of the epoch, measured while the prompt changed; the validation ones are the
scores of the tasks' own metrics. What is not known is empty.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvlpt.errors import MvlptError, RunFolderError
from mvlpt.io import check_not_linked, csv_text, parse_csv, read_text, write_file

if TYPE_CHECKING:  # it loads torch
    from mvlpt.engine.meters import MetricMeter

log = logging.getLogger(__name__)

METRICS_FILE, TASK_METRICS_FILE = "metrics.csv", "task_metrics.csv"
METRICS_FIELDS = ("epoch", "loss", "train_accuracy", "val_accuracy", "lr", "images_per_second", "elapsed")
TASK_METRICS_FIELDS = ("epoch", "task", "loss", "train_accuracy", "val_accuracy")

LARGEST_NUMBER = 1e15  # beyond it a number means nothing, and no figure can show it
WORSE_LOSS, WORSE_ACCURACY = 1.1, 5.0  # ratio, points: less is what epochs with random views and batches differ by
REMEDY = "delete the file, or choose another"

Row = dict[str, Any]


def training_failure(first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """A sentence, where training made both loss and accuracy on its own images clearly worse; else empty.

    Args:
        first, last: the lines of the first and of the last epoch in ``metrics.csv``.
    """
    loss, accuracy = first.get("loss"), first.get("train_accuracy")
    last_loss, last_accuracy = last.get("loss"), last.get("train_accuracy")
    if None in (loss, accuracy, last_loss, last_accuracy):
        return ""
    if last_loss <= WORSE_LOSS * loss or last_accuracy >= accuracy - WORSE_ACCURACY:
        return ""
    return (
        f"Training has failed: from the first epoch to the last, the loss on its own images rose from {loss:.2f} to"
        f" {last_loss:.2f} and their accuracy fell from {accuracy:.0f} to {last_accuracy:.0f} %; lower OPTIM.LR, or"
        " take another SEED"
    )


class EpochLog:
    """Collects what the steps of an epoch show, and writes a line when it has ended. A run never fails because of it.

    Attributes:
        row: the line of the last epoch that has ended; empty before.
        task_rows: the lines of its tasks.
    """

    def __init__(self) -> None:
        self.row: Row = {}
        self.task_rows: list[Row] = []
        self._first: Row = {}
        self._folder: Path | None = None
        self._failed = False
        self._before = 0.0
        self._started = time.monotonic()

    def open(self, folder: str | Path, start_epoch: int) -> None:
        """Goes on after epoch ``start_epoch``; lines of later epochs, which will run again, are dropped."""
        self._folder, self._before, self._started = Path(folder), 0.0, time.monotonic()
        for name, fields in ((METRICS_FILE, METRICS_FIELDS), (TASK_METRICS_FILE, TASK_METRICS_FIELDS)):
            path = self._folder / name
            if not path.exists():
                continue
            try:
                kept = [row for row in read_metrics(path) if row["epoch"] is not None and row["epoch"] <= start_epoch]
                write_file(path, csv_text([fields, *([row[field] for field in fields] for row in kept)]))
            except MvlptError as error:
                self._give_up(error)
                return
            if name == METRICS_FILE and kept:
                self._first, self._before = kept[0], kept[-1]["elapsed"] or 0.0

    def begin(self, epoch: int, lr: float | None, scores: Any) -> None:
        """An epoch begins.

        Args:
            epoch: from 0.
            lr: its learning rate.
            scores: the validation scores so far, so that new ones are noticed.
        """
        self._epoch, self._lr, self._scores = epoch, lr, scores
        self._losses: MetricMeter | None = None
        self._tasks: Mapping[str, Mapping[str, float]] = {}
        self._images, self._began = 0, time.monotonic()
        self._trained_at: float | None = None

    def add(self, losses: MetricMeter, batches: Sequence[Any]) -> None:
        """A step has been made: the running averages of the epoch, and the batches that it was made on."""
        self._losses = losses
        self._images += sum(len(batch["label"]) for batch in batches if isinstance(batch, Mapping) and "label" in batch)
        self._trained_at = time.monotonic()

    def add_tasks(self, summary: Mapping[str, Mapping[str, float]]) -> None:
        """Loss (``loss``) and accuracy (``acc``) of each task over the epoch."""
        self._tasks = {name: dict(values) for name, values in summary.items()}

    def end(self, scores: Any) -> None:
        """The epoch has ended and was validated, if it is.

        Args:
            scores: the validation scores, a list of :class:`mvlpt.engine.TaskScore`; another one than :meth:`begin`
                was given belongs to this epoch.
        """
        fresh = {score.task: score.value for score in scores} if scores and scores is not self._scores else {}
        now = time.monotonic()
        seconds = (self._trained_at or now) - self._began
        self.row = {
            "epoch": self._epoch + 1,
            "loss": self._average("loss"),
            "train_accuracy": self._average("acc"),
            "val_accuracy": sum(fresh.values()) / len(fresh) if fresh else None,
            "lr": self._lr,
            "images_per_second": self._images / seconds if self._images and seconds > 0 else None,
            "elapsed": self._before + now - self._started,
        }
        self._first = self._first or self.row
        names = dict.fromkeys((*self._tasks, *fresh)) if len(self._tasks) > 1 or len(fresh) > 1 else ()
        self.task_rows = [
            {
                "epoch": self._epoch + 1,
                "task": name,
                "loss": self._tasks.get(name, {}).get("loss"),
                "train_accuracy": self._tasks.get(name, {}).get("acc"),
                "val_accuracy": fresh.get(name),
            }
            for name in names
        ]
        self._append(METRICS_FILE, METRICS_FIELDS, [self.row])
        if self.task_rows:
            self._append(TASK_METRICS_FILE, TASK_METRICS_FIELDS, self.task_rows)

    def failure(self) -> str:
        """What went wrong in training so far; see :func:`training_failure`."""
        return training_failure(self._first, self.row)

    def _average(self, kind: str) -> float | None:
        """The mean over the epoch of the metric of this name, or else of the first whose name starts with it."""
        meters = self._losses.meters if self._losses is not None else {}
        name = kind if kind in meters else next((name for name in meters if name.startswith(kind)), None)
        return None if name is None else meters[name].avg

    def _append(self, name: str, fields: Sequence[str], rows: Sequence[Row]) -> None:
        if self._folder is None or self._failed:
            return
        path = self._folder / name
        try:
            check_not_linked(path)
            head = [] if path.exists() else [fields]
            with open(path, "a", encoding="utf-8", errors="backslashreplace", newline="") as handle:
                handle.write(csv_text([*head, *([_short(row[field]) for field in fields] for row in rows)]))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._failed = True
        log.warning("The epochs of this run are not written to %s (%s); the run goes on", METRICS_FILE, error)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def read_metrics(path: str | Path) -> list[Row]:
    """The lines of ``metrics.csv`` or ``task_metrics.csv``, in order.

    Fields are numbers, or ``None`` where they are empty or no finite number. A last line that was cut short by a crash
    is left out; of a file whose first line was, there are none.

    Raises:
        RunFolderError: the file cannot be read, or has not the columns of such a file.
    """
    text = read_text(path, error=RunFolderError)
    if "\n" not in text:
        return []
    lines = parse_csv(text[: text.rfind("\n") + 1], path, error=RunFolderError, remedy=REMEDY)
    fields = tuple(next(lines, (0, []))[1])
    if fields not in (METRICS_FIELDS, TASK_METRICS_FIELDS):
        raise RunFolderError(f"{path} has other columns than {', '.join(METRICS_FIELDS)}; {REMEDY}")
    rows = []
    for number, cells in lines:
        try:
            rows.append({field: _value(field, cell) for field, cell in zip(fields, cells, strict=True)})
        except ValueError:
            raise RunFolderError(f"{path}, line {number} is not a line of numbers; delete the line") from None
    return rows


def _value(field: str, word: str) -> Any:
    if field == "task":
        return word
    if word == "":
        return None
    if field == "epoch":
        if not word.isdecimal() or len(word) > 9:
            raise ValueError(f"{word} is no epoch")
        return int(word)
    number = float(word)
    return number if abs(number) <= LARGEST_NUMBER else None  # nor is NaN
