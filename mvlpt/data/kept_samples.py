"""The few-shot samples of a run, kept as files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.data.sampling.sample_files import sample_record, save_sample
from mvlpt.data.tasks import TaskInfo
from mvlpt.randomness import derive_seed


def keep_samples(cfg: Any, members: Sequence[Any], tasks: Sequence[TaskInfo], folder: Path) -> list[Path]:
    """Writes the sample of every task of a run, or checks it against the file that is there.

    Args:
        cfg: the run's config.
        members: the sampled data sets.
        tasks: one for each data set.
        folder: where to; made when it is missing.

    Returns:
        The files; none where all images are used.

    Raises:
        DataError: a file holds another sample, or is damaged.
    """
    node = cfg.DATASET
    if node.NUM_SHOTS < 1:
        return []
    rule = "published" if node.get("SAMPLES", "") else node.get("SAMPLING", "independent")
    protocol = _protocol(node, rule, [task.name for task in tasks])
    tag = f"-{derive_seed(protocol) % 16**6:06x}" if protocol != rule else ""
    paths = []
    for member, task in zip(members, tasks, strict=True):
        settings = {"task": task.name, "protocol": protocol, "shots": node.NUM_SHOTS, "seed": cfg.SEED}
        root = str(getattr(member, "dataset_dir", ""))
        record = sample_record(member.train_x or [], member.val or [], root=root, **settings)
        paths.append(save_sample(folder, f"{task.name}-{rule}{tag}-shots{node.NUM_SHOTS}-seed{cfg.SEED}", record))
    return paths


def _protocol(node: Any, rule: str, tasks: Sequence[str]) -> str:
    """The rule by which a sample is drawn, and what else determines it, in words."""
    protocol = rule
    if rule == "mvlpt" and len(tasks) > 1:  # the sample depends on which tasks took part
        protocol += f" over {', '.join(sorted(tasks))}"
    if node.get("MERGE_VAL", False):
        protocol += ", val merged"
    if node.SUBSAMPLE_CLASSES != "all":
        protocol += f", {node.SUBSAMPLE_CLASSES} classes"
    if node.get("FOLDS", 0):
        protocol += f", fold {node.FOLD} of {node.FOLDS} by {node.FOLD_UNIT}"
    return protocol
