"""Writes the few-shot sample of a task as JSON lines, so that others can train on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mvlpt.data.datasets import build_dataset
from mvlpt.data.sampling import format_sample
from mvlpt.errors import ConfigError, DataError
from mvlpt.io import write_file

SUFFIXES = (".jsonl", ".ndjson")


class SavedSample(NamedTuple):
    """What was written: the numbers of training and of validation images, and of classes."""

    train: int
    val: int
    classes: int


def save_sample_lines(
    name: str,
    path: str | Path,
    *,
    shots: int,
    seed: int,
    root: str = "",
    source: str = "auto",
    sampling: str = "independent",
) -> SavedSample:
    """Draws a task's few-shot sample as a run does, and writes it; ``DATASET.SAMPLES`` reads it.

    Args:
        name: a known task, a registered data set, or the path of a task file or folder.
        path: the file, ending in ``.jsonl``.
        shots: images a class, at least 1.
        seed: the run's.
        root: the folder of the data sets.
        source: ``DATASET.SOURCE``.
        sampling: ``DATASET.SAMPLING``.

    Raises:
        ConfigError: an option cannot be used.
        DataError: the task's files are missing or broken, or the file cannot be written.
    """
    from mvlpt.config import check_config, get_cfg_default

    if Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"The sample is written as JSON lines, but {path} does not end in .jsonl; rename it")
    if shots < 1 or seed < 0:
        raise ConfigError(f"--shots is {shots} and --seed {seed}; give at least 1 image a class and a seed from 0")
    cfg = get_cfg_default()
    options = {"ROOT": root, "SOURCE": source, "NAME": name, "NUM_SHOTS": shots, "SAMPLING": sampling}
    cfg.merge_from_list(["SEED", seed, *(word for key, value in options.items() for word in (f"DATASET.{key}", value))])
    check_config(cfg)
    cfg.freeze()
    dataset = build_dataset(cfg)
    train, val = dataset.train_x or [], dataset.val or []
    if not train:
        raise DataError(f"The data set '{name}' has no training images, so there is no sample to write")
    text = format_sample(train, val, str(getattr(dataset, "dataset_dir", "") or ""))
    write_file(Path(path), text, error=DataError, remedy="choose another file with --output")
    return SavedSample(len(train), len(val), dataset.num_classes)
