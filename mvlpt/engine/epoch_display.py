"""What is shown while a run trains: a line for each epoch, and one for each task where several share a prompt."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.runtime import EpochTable, stderr_console

TASK_SECONDS = 5.0  # between the lines of tasks, where epochs are short
HEADING_EVERY = 40  # lines


class EpochDisplay:
    """Prints the epochs of a run on the standard error: above the bar on a terminal, as plain lines elsewhere.

    Args:
        epochs: of the whole run.
        tasks: their names.
        validated: whether epochs are validated.
    """

    def __init__(self, epochs: int, tasks: Sequence[str], validated: bool) -> None:
        console = stderr_console()
        width = console.width if console.is_terminal else 80
        self._table = EpochTable(epochs, tasks, width, validated)
        self._epochs = epochs
        self._lines, self._tasks_at = HEADING_EVERY, float("-inf")

    def show(self, row: Mapping[str, Any], task_rows: Sequence[Mapping[str, Any]], left: float | None) -> None:
        """Prints the line of an epoch, and those of its tasks at the last epoch, and before it now and then.

        Args:
            row: of ``metrics.csv``.
            task_rows: of ``task_metrics.csv``.
            left: seconds that the run still takes.
        """
        lines = [self._table.epoch(row, left)]
        now = time.monotonic()
        if task_rows and (row["epoch"] == self._epochs or now - self._tasks_at >= TASK_SECONDS):
            lines += [self._table.task(task) for task in task_rows]
            self._tasks_at = now
        if self._lines >= HEADING_EVERY:
            lines.insert(0, self._table.heading())
            self._lines = 0
        self._lines += len(lines)
        stderr_console().print("\n".join(lines), markup=False, soft_wrap=True)
