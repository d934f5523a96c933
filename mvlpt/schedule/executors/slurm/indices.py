"""Where an attempt is found in SLURM's queue: the name of its batch and its index there, kept in its folder.

They are written before SLURM hears of the batch, so that a scheduler which was killed finds the job again.
"""

from __future__ import annotations

from pathlib import Path

from mvlpt.errors import ScheduleError
from mvlpt.io import read_json, write_json
from mvlpt.schedule.attempts import Attempt
from mvlpt.schedule.executors.slurm.batches import Batch


def index_file(attempt: Attempt) -> Path:
    """The file that keeps both."""
    return attempt.folder / "slurm.json"


def write_indices(batch: Batch) -> None:
    """Writes into the folder of each attempt where it will be found in the queue."""
    for number in range(len(batch.attempts)):
        write_index(batch, number)


def write_index(batch: Batch, number: int) -> None:
    """Writes it for one attempt."""
    write_json({"batch": batch.name, "place": batch.index(number)}, index_file(batch.attempts[number]))


def read_index(attempt: Attempt) -> tuple[str, int] | None:
    """Batch name and index of an attempt, or None where it was never in a batch.

    Raises:
        ScheduleError: the file is broken.
    """
    path = index_file(attempt)
    if not path.exists():
        return None
    try:
        record = read_json(path, error=ScheduleError)
        return str(record["batch"]), int(record["place"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ScheduleError(f"{path} names no batch and place; delete it to run its job again") from None
