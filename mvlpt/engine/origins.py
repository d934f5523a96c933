"""Records what a trainer's models were trained with, and compares it wherever they are loaded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import CheckpointError
from mvlpt.models import Origin, check_origin, load_prompt

log = logging.getLogger(__name__)

ORIGIN = "trained_with"  # the key in checkpoints and in run.json
PROMPT_FILE = "prompt.safetensors"


def origin_of(trainer: Any) -> Origin:
    """What a trainer's models are trained with, as far as it is known."""
    cfg, dm = getattr(trainer, "cfg", None), getattr(trainer, "dm", None)
    tasks, names = getattr(dm, "tasks", None) or (), getattr(trainer, "lab2cname", None) or {}
    classes = [name for task in tasks for name in task.classnames] or [names[label] for label in sorted(names)]
    backbone = getattr(trainer, "backbone", None)
    known: dict[str, Any] = {}
    if backbone is not None and hasattr(backbone, "fingerprint"):
        known = {"backbone": backbone.name, "pretrained": backbone.pretrained, "fingerprint": backbone.fingerprint}
        known["precision"] = str(next(backbone.model.parameters()).dtype).removeprefix("torch.")
    if cfg is not None:
        known["label_space"] = "per_task" if cfg.DATASET.MULTITASK_LABEL_PERTASK else "joint"
        known["preprocessing"] = {
            "size": list(cfg.INPUT.SIZE),
            "interpolation": cfg.INPUT.INTERPOLATION,
            "crop": cfg.INPUT.TEST_CROP,
            "mean": [float(value) for value in cfg.INPUT.PIXEL_MEAN],
            "std": [float(value) for value in cfg.INPUT.PIXEL_STD],
            "normalize": "normalize" in cfg.INPUT.TRANSFORMS,
        }
        known["sampling"] = {
            "rule": "published" if cfg.DATASET.SAMPLES else cfg.DATASET.SAMPLING,
            "shots": cfg.DATASET.NUM_SHOTS,
            "seed": cfg.SEED,
            "merge_val": cfg.DATASET.MERGE_VAL,
        }
    return Origin(
        class_names=tuple(str(name) for name in classes),
        class_bound=_class_bound(trainer),
        tasks=tuple(task.name for task in tasks),
        layout=dict(getattr(trainer, "prompt_layout", None) or {}),
        **known,
    )


def _class_bound(trainer: Any) -> bool:
    """Whether the models fit no other classes: a trainer says so in ``class_bound``; a plain classifier's do not."""
    said = getattr(trainer, "class_bound", None)
    if said is not None:
        return bool(said)
    return getattr(getattr(type(trainer), "build_model", None), "__qualname__", "") == "SimpleTrainer.build_model"


def saved_origin(checkpoint: Mapping[str, Any], path: Path) -> Origin | None:
    """What a checkpoint was trained with: its own record, or else that of the prompt file beside it.

    Raises:
        CheckpointError: the record is damaged.
    """
    if checkpoint.get(ORIGIN) is not None:
        return Origin.from_record(checkpoint[ORIGIN], str(path))
    beside = path.parent.parent / PROMPT_FILE  # of version 0.1.0, whose checkpoints have no record
    if path.parent.name != "prompt_learner" or not beside.is_file():
        return None
    try:
        return load_prompt(beside).origin
    except CheckpointError:
        return None


def check_checkpoint(trainer: Any, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Refuses a checkpoint that does not belong to a trainer's classes or backbone; warns where it may not.

    Raises:
        CheckpointError: they must agree and do not; ``RUN.FORCE`` (``--force``) insists.
    """
    own, saved, cfg = origin_of(trainer), saved_origin(checkpoint, path), getattr(trainer, "cfg", None)
    if cfg is not None and cfg.RUN.MODE == "eval":
        trainer.loaded_sampling = dict(saved.sampling) if saved is not None else {}
    if saved is None:
        if own.class_bound:
            log.warning("%s does not say which classes it was trained on; they are taken to be those of this run", path)
        return
    force = cfg is not None and cfg.RUN.FORCE
    check_origin(saved, own, str(path), force=force, quiet_classes=cfg is not None and cfg.RUN.MODE == "train")
