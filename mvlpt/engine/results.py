"""Results as data: one JSON object a line, one line for each score of a task.

``value`` is in percent. ``split`` is ``torchvision`` instead of ``test`` where a benchmark's own test split cannot be
reproduced and torchvision's is used: such a score is comparable only with other scores of that split.
:data:`RESULT_FIELDS` names the fields.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.engine.identity import config_identity
from mvlpt.errors import RunFolderError
from mvlpt.io import atomic_write, json_text, read_json_lines, short_repr

if TYPE_CHECKING:
    from mvlpt.engine.evaluation import TaskScore

RESULTS_FILE = "results.jsonl"
LARGEST_WHOLE = 2**63
RESULT_FIELDS = (
    "run", "trainer", "arm", "group", "task", "split", "metric", "value", "higher_is_better",
    "shots", "seed", "epoch", "n",
)  # fmt: skip
TEST_SPLITS = ("test", "torchvision")
_KEY = ("run", "task", "split", "metric", "epoch")


def arm_of(cfg: CfgNode) -> str:
    """How the run shares its prompt: ``RUN.ARM``, or else inferred from the trainer, the prompt that it starts from or
    evaluates, the group and the tasks.
    """
    if cfg.RUN.ARM:
        return cfg.RUN.ARM
    if _untrained(cfg):
        return "zero_shot"
    if cfg.RUN.INIT_FROM:
        return "evaluated" if cfg.RUN.MODE == "eval" else "adapted"
    if len(task_names(cfg)) == 1:
        return "single"
    return "grouped" if cfg.RUN.GROUP else "all"


def _untrained(cfg: CfgNode) -> bool:
    """Whether the trainer is one of the untrained model."""
    return cfg.TRAINER.NAME.startswith("Zeroshot")


def result_rows(
    cfg: CfgNode, scores: Iterable[TaskScore], split: str, epoch: int, *, prompt_shots: int | None = None
) -> list[dict[str, Any]]:
    """One row for each score, in the order of :data:`RESULT_FIELDS`.

    Args:
        cfg: of the run.
        scores: of its tasks.
        split: that they are on.
        epoch: of the model.
        prompt_shots: how many images a class the evaluated prompt was tuned on, where it is known; it counts where the
            run itself names no number of shots.
    """
    arm = arm_of(cfg)
    shots = cfg.DATASET.NUM_SHOTS
    if shots == -1 and prompt_shots is not None:
        shots = prompt_shots
    return [
        {
            "run": config_identity(cfg),
            "trainer": cfg.TRAINER.NAME,
            "arm": arm,
            "group": cfg.RUN.GROUP,
            "task": score.task,
            "split": "torchvision" if split == "test" and score.origin == "torchvision" else split,
            "metric": score.metric,
            "value": round(score.value, 6),
            "higher_is_better": score.higher_is_better,
            "shots": 0 if arm == "zero_shot" or _untrained(cfg) else shots,
            "seed": cfg.SEED,
            "epoch": epoch,
            "n": score.n,
        }
        for score in scores
    ]


def write_results(rows: Sequence[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Adds ``rows`` to a file; a row with the same run, task, split, metric and epoch is replaced.

    The file is replaced as a whole, so a reader sees whole lines only.
    """
    file = Path(path)
    kept = read_results(file) if file.exists() else []
    fresh = {tuple(row[key] for key in _KEY) for row in rows}
    kept = [row for row in kept if tuple(row.get(key) for key in _KEY) not in fresh]
    with atomic_write(file) as handle:
        for row in [*kept, *rows]:
            handle.write(json_text(row) + "\n")


def _fits(field: str, value: Any) -> bool:
    """Whether a value is of the kind that a field of a row has."""
    if field in ("trainer", "arm", "task", "split", "metric"):
        return isinstance(value, str)
    if field == "value":
        return isinstance(value, float) or (isinstance(value, int) and abs(value) < LARGEST_WHOLE)
    if field in ("shots", "seed", "epoch", "n"):
        return isinstance(value, int) and abs(value) < LARGEST_WHOLE
    return not isinstance(value, dict)


def read_results(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of a results file.

    Raises:
        RunFolderError: the file is missing, or a line is not a result; the message names the line.
    """
    rows = []
    missing = f"There are no results at {path}; name the results.jsonl of a run"
    for number, row in read_json_lines(path, missing=missing, remedy="the file was cut or edited; restore it"):
        missing = [field for field in RESULT_FIELDS if not isinstance(row, dict) or field not in row]
        if missing:
            raise RunFolderError(f"{path}, line {number} lacks {', '.join(missing)}")
        wrong = next((field for field in RESULT_FIELDS if not _fits(field, row[field])), None)
        if wrong is not None:
            raise RunFolderError(f"{path}, line {number}: {wrong} is {short_repr(row[wrong], 60)}, which it cannot be")
        rows.append(row)
    return rows
