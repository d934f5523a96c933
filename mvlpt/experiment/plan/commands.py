"""The command lines of jobs; each can be pasted into a terminal, from any folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

import mvlpt
from mvlpt.config import find_config, is_path_like
from mvlpt.dassl import plugin_roots
from mvlpt.experiment.arms import Run
from mvlpt.models.backbone import LOCAL_DIR

STORE = "features/store"  # below the experiment's folder: image features that several runs read
QUIET = ("RUN.TENSORBOARD", "False", "RUN.THREADS", "1")


def run_command(
    verb: str,
    run: Run,
    options: Mapping[str, Any],
    output: Path,
    plugins: Sequence[str] = (),
    start: Path | None = None,
) -> tuple[str, ...]:
    """``mvlpt train`` or ``mvlpt features`` for a run.

    Args:
        verb: ``train`` or ``features``.
        run: trainer, tasks, shots and seed.
        options: overrides of the configuration file.
        output: the run's folder.
        plugins: files that register trainers or data sets.
        start: folder of the run whose prompt this one starts from.
    """
    words = ["mvlpt", verb, "--config-file", config_word(run.trainer)]
    words += ["--dataset", ",".join(map(_task_word, run.tasks))]
    words += [word for file in plugins for word in ("--plugin", os.path.abspath(file))]
    words += ["--shots", str(run.shots)] if run.shots else []
    words += ["--seed", str(run.seed), "--output-dir", str(output)]
    words += ["--model-dir", str(start)] if start else []
    words += ["--resume"] if verb == "train" else []
    words += ["--quiet", *(word for key, value in options.items() for word in (key, str(value)))]
    return (*words, *QUIET)


def full_paths(cfg: CfgNode) -> dict[str, str]:
    """Options of a run that name files or folders from the current one, with full paths: jobs run in another folder."""
    name, weights = cfg.MODEL.BACKBONE.NAME, str(cfg.MODEL.BACKBONE.PRETRAINED)
    given = {
        "DATASET.ROOT": cfg.DATASET.ROOT,
        "DATASET.SAMPLES": cfg.DATASET.SAMPLES,
        "MODEL.BACKBONE.NAME": name[len(LOCAL_DIR) :] if name.startswith(LOCAL_DIR) else "",
        "MODEL.BACKBONE.PRETRAINED": weights if os.path.isfile(weights) else "",  # or a tag, as a folder may be called
        "RUN.INIT_FROM": cfg.RUN.INIT_FROM,
    }
    begins = {"MODEL.BACKBONE.NAME": LOCAL_DIR}
    return {
        key: begins.get(key, "") + os.path.abspath(path)
        for key, path in given.items()
        if path and not os.path.isabs(path) and os.path.exists(path)
    }


def config_word(file: str) -> str:
    """A configuration file as a command names it: a shipped one by its short name, another by its absolute path."""
    found, package = find_config(file, plugin_roots()).resolve(), Path(mvlpt.__file__).parent
    for shipped in (package / "configs", package.parent / "configs"):
        if found.is_relative_to(shipped.resolve()):
            return str(Path("configs") / found.relative_to(shipped.resolve()))
    return str(found)


def _task_word(task: str) -> str:
    """A task as a command names it: a file or a folder by its absolute path."""
    return os.path.abspath(task) + "/" * task.endswith("/") if os.path.exists(task) and is_path_like(task) else task
