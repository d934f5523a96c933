"""The folder of a run for which none is named: below ``output``, by trainer, tasks, shots and seed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from yacs.config import CfgNode

from mvlpt.config import is_path_like, task_names
from mvlpt.data import DATASET_REGISTRY
from mvlpt.io import path_part

ROOT = "output"
LONGEST = 60  # characters of the names of several tasks; a longer list is a number and a hash


def default_folder(cfg: CfgNode) -> str:
    """Such as ``output/MVLPT-VPT/weather-dark/1shot/seed1``; that of an evaluation ends in ``-evaluated``.

    Args:
        cfg: a configuration that names trainer, tasks, shots and seed.
    """
    names = [own_name(name) for name in task_names(cfg)]
    parts = [path_part(name) for name in names]
    tasks = "+".join(parts)
    if len(tasks) > LONGEST:
        tasks = f"{len(names)}tasks-{hashlib.sha256(chr(10).join(names).encode()).hexdigest()[:6]}"
    if cfg.RUN.GROUP:
        tasks = f"{path_part(cfg.RUN.GROUP)}-{hashlib.sha256(chr(10).join(sorted(names)).encode()).hexdigest()[:6]}"
    shots = f"{cfg.DATASET.NUM_SHOTS}shot" if cfg.DATASET.NUM_SHOTS > 0 else "allshot"
    seed = f"seed{cfg.SEED}" + ("-evaluated" if cfg.RUN.MODE == "eval" else "")
    return str(Path(ROOT, path_part(cfg.TRAINER.NAME or "run"), tasks or "no-task", shots, seed))


def own_name(task: str) -> str:
    """The name of a task in results, where a run names it by its file or folder.

    Raises:
        MvlptError: there is no such task, or its file cannot be used.
    """
    if not is_path_like(task):
        return task
    return getattr(DATASET_REGISTRY.get(task), "name", "") or task
