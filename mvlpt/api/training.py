"""``mvlpt.train``: a run from Python, and what it leaves."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mvlpt.api.configuration import DEFAULT_OUTPUT, resolve_config
from mvlpt.api.recipes import folder_of, recipe_of, task_words
from mvlpt.api.records import Records
from mvlpt.config import Config, find_config, options_set_in, task_names
from mvlpt.dassl import plugin_roots
from mvlpt.engine import STATE_FILE, config_identity, run_config
from mvlpt.errors import ConfigError
from mvlpt.inference import Classifier, load, trained_tasks
from mvlpt.runtime import Interrupted, setup_logging

Pathlike = str | os.PathLike[str]


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: its configuration, results, checkpoints and prompt.
        results: a record for each score, with the fields of ``results.jsonl``.
        config: its options, resolved.
        was_finished: the folder held this run already, so nothing was trained.
    """

    folder: Path
    results: Records
    config: Config = field(repr=False)
    was_finished: bool = False

    @property
    def tasks(self) -> list[str]:
        """Names of its tasks."""
        return trained_tasks(self.folder)

    @cached_property
    def classifier(self) -> Classifier:
        """What it has learnt, for its only task; for one of several see :meth:`classifier_of`."""
        return self.classifier_of()

    def classifier_of(self, task: str | None = None, classes: Sequence[str] | None = None) -> Classifier:
        """What it has learnt, for one of its tasks, or for other classes.

        Raises:
            MvlptError: see :func:`mvlpt.load`.
        """
        return load(self.folder, task, classes)

    def predict(self, images: Any, **options: Any) -> Any:
        """Names of the best classes (N,); arguments as those of :meth:`Classifier.predict`."""
        return self.classifier.predict(images, **options)


def train(
    task: Pathlike | None = None,
    trainer: str = "MVLPT-VPT",
    backbone: str | None = None,
    shots: int = -1,
    seed: int = 1,
    *,
    tasks: Sequence[Pathlike] = (),
    config: Pathlike | None = None,
    options: Mapping[str, Any] | None = None,
    output_dir: Pathlike | None = None,
    start: Pathlike | None = None,
    root: Pathlike | None = None,
    plugins: Sequence[Pathlike] = (),
    verbose: bool = True,
) -> TrainedRun:
    """Trains on a task, or one prompt on several; evaluates; leaves a run's folder, as ``mvlpt train`` does.

    The same call again returns the finished run, or goes on with an interrupted one.

    Example::

        run = mvlpt.train("photos/", backbone="embedded", shots=4)
        print(run.results[0]["value"], run.predict("photo.jpg"))

    Args:
        task: a folder of class folders, a task file, or the name of a task.
        trainer: a registered trainer.
        backbone: an open_clip model, CoOp's spelling (the default is ``ViT-B/16``), or ``embedded``.
        shots: training images per class; -1 for all.
        seed: of sample, prompt and order.
        tasks: several tasks that share the prompt, instead of ``task``.
        config: a YAML file of options; by default the shipped ones of the trainer.
        options: any options of the configuration by key, such as ``{"OPTIM.LR": 0.01}``.
        output_dir: the run's folder; by default one in ``output/``, named after all that makes the run, unless
            ``config`` or ``options`` say ``OUTPUT_DIR`` (in ``config`` Dassl's ``./output`` says nothing).
        start: a run or a prompt to start from.
        root: folder of the benchmarks' data.
        plugins: files that register trainers or data sets.
        verbose: report progress.

    Raises:
        MvlptError: something cannot be used; the message says what and how to go on.
        KeyboardInterrupt: interrupted; the state is saved, and the same call goes on.
    """
    if (task is None) == (not tasks):
        raise ConfigError("Give either task, or tasks for one prompt that several tasks share")
    options = dict(options or {})
    named = {
        "TRAINER.NAME": trainer,
        "MODEL.BACKBONE.NAME": backbone,
        "DATASET.DATASET": ",".join(task_words(tasks or [task])),
        "DATASET.NUM_SHOTS": shots,
        "DATASET.ROOT": None if root is None else os.fspath(root),
        "SEED": seed,
        "DATASET.RANDOM_SEED_SAMPLING": seed,
        "RUN.INIT_FROM": None if start is None else os.fspath(start),
        "OUTPUT_DIR": None if output_dir is None else os.fspath(output_dir),
        "VERBOSE": verbose,
    }
    cfg = resolve_config(
        files=[config or recipe_of(trainer, backbone)],
        options={key: value for key, value in named.items() if value is not None},
        overrides=[word for pair in options.items() for word in pair],
        plugins=plugins,
        recipe=config is None,
        origin="the call",
    )
    in_config = {} if config is None else options_set_in(find_config(config, plugin_roots()))
    in_file = in_config.get("OUTPUT_DIR", DEFAULT_OUTPUT)
    names_folder = output_dir is not None or "OUTPUT_DIR" in options or in_file != DEFAULT_OUTPUT
    return _run(cfg, chooses_folder=not names_folder)


def _run(cfg: Config, *, chooses_folder: bool) -> TrainedRun:
    """Runs a configuration to its end, or takes it up."""
    cfg.defrost()
    if chooses_folder:
        shots, seed = cfg.DATASET.NUM_SHOTS, cfg.SEED
        cfg.OUTPUT_DIR = str(folder_of(cfg.TRAINER.NAME, task_names(cfg), shots, seed, config_identity(cfg)))
    if (Path(cfg.OUTPUT_DIR) / STATE_FILE).is_file():
        cfg.RESUME = cfg.OUTPUT_DIR
    cfg.freeze()
    if not logging.getLogger("mvlpt").handlers:  # a program that handles our messages keeps its own way
        setup_logging(cfg.VERBOSE)
    try:
        outcome = run_config(cfg)
    except Interrupted as stopped:
        raise KeyboardInterrupt(f"{stopped}; the state is saved in {cfg.OUTPUT_DIR}, the same call goes on") from None
    return TrainedRun(outcome.folder, Records(outcome.rows), cfg, outcome.was_finished)
