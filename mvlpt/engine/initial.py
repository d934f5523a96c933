"""Loading the weights that a run starts from or evaluates: of another run, of its checkpoints, or of a prompt file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from mvlpt.engine.checkpoints import BEST_CHECKPOINT, NUMBERED, epoch_to_load
from mvlpt.engine.origins import PROMPT_FILE, origin_of
from mvlpt.errors import CheckpointError
from mvlpt.models import check_origin, load_prompt

log = logging.getLogger(__name__)


def load_weights(trainer: Any, source: str | os.PathLike[str], epoch: int = 0) -> None:
    """Loads the models of a trainer.

    Args:
        trainer: with its models built.
        source: a run's folder; a folder of checkpoints in it; one of these checkpoints; ``prompt.safetensors``, or a
            folder that holds it and no checkpoints.
        epoch: whose checkpoints; 0 for the best, or else the last.

    Raises:
        CheckpointError: there is nothing, or it does not fit the models, their classes or their backbone.
    """
    path, names = Path(source), trainer.get_model_names()
    if path.is_file():
        if path.suffix == ".safetensors":
            _load_prompt_file(trainer, path)
            return
        number = path.name.removeprefix(NUMBERED)
        if path.name != BEST_CHECKPOINT and not number.isdecimal():
            raise CheckpointError(f"{path} is neither the folder of a run nor a {PROMPT_FILE} nor a checkpoint")
        path, epoch = path.absolute().parent.parent, 0 if path.name == BEST_CHECKPOINT else int(number)
    elif path.name in names and any(path.glob("model*.pth.tar*")):
        path = path.absolute().parent
    elif (path / PROMPT_FILE).is_file() and not any((path / name).is_dir() for name in names):
        _load_prompt_file(trainer, path / PROMPT_FILE)
        return
    trainer.load_model(path, epoch=epoch or epoch_to_load(path, names))


def _load_prompt_file(trainer: Any, path: Path) -> None:
    """Loads the prompt of a trainer that tunes one, after the checks that checkpoints go through."""
    name = "prompt_learner"
    kind = trainer.cfg.TRAINER.NAME
    if name not in trainer.get_model_names():
        raise CheckpointError(f"{path} holds a prompt, and {kind} tunes none; name a run of its own")
    prompt, cfg = load_prompt(path), trainer.cfg
    own = getattr(getattr(trainer, "model", None), "options", {}).get("method")
    if own is not None and own != prompt.method:
        raise CheckpointError(f"{path} holds a prompt of method '{prompt.method}', but {kind} tunes '{own}'")
    check_origin(
        prompt.origin, origin_of(trainer), str(path), force=cfg.RUN.FORCE, quiet_classes=cfg.RUN.MODE == "train"
    )
    trainer.load_model_state(name, prompt.tensors, str(path))
    if cfg.RUN.MODE == "eval":
        trainer.loaded_sampling = dict(prompt.origin.sampling)
    log.info("Loaded the prompt of %s", path)
