"""Trainers that an experiment compares with: which files ``baselines: fast`` stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FAST = ("kNN", "TipAdapter", "TipAdapter-F", "LP++", "CLAP", "TaskRes", "CrossModalProbe")  # heads on kept features
TRAINING = ("OPTIM.", "TRAINER.", "DATALOADER.TRAIN_X.", "DATALOADER.TASK", "INPUT.TRANSFORMS")  # a trainer's own


def baseline_files(baselines: Sequence[str], trainers: Sequence[str]) -> tuple[str, ...]:
    """Configuration files of baselines, without those that are trainers already.

    Args:
        baselines: files, or ``fast``.
        trainers: the files of the trainers; the first one's name, such as ``embedded``, chooses among the fast ones'.
    """
    stem = Path(trainers[0]).stem if trainers else "vit_b16"
    fast = [f"configs/trainers/{name}/{stem if stem == 'embedded' else 'vit_b16'}.yaml" for name in FAST]
    files = [file for name in baselines for file in (fast if name == "fast" else [name])]
    return tuple(file for file in dict.fromkeys(files) if file not in trainers)
