"""The state from which a trainer continues: collected, restored, and read from the folder of a Dassl run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.engine.checkpoints import (
    BEST_CHECKPOINT,
    checkpoints_by_epoch,
    holds_dassl_checkpoints,
    load_checkpoint,
)
from mvlpt.engine.identity import config_identity, former_identity
from mvlpt.engine.optim import EpochSchedule
from mvlpt.engine.origins import ORIGIN, check_checkpoint, origin_of
from mvlpt.engine.resume import DAMAGE, REMEDY, RESUME_FILE
from mvlpt.errors import CheckpointError, MvlptError, is_out_of_memory
from mvlpt.io import first_line, listed

log = logging.getLogger(__name__)


def run_state(trainer: Any, epoch: int, next_batch: int) -> dict[str, Any]:
    """The state from which a trainer continues at ``next_batch`` of ``epoch`` (from 0), without the random states."""
    models = {}
    for name in trainer.get_model_names():
        optim, sched = trainer._optims[name], trainer._scheds[name]
        models[name] = {
            "state_dict": trainer._models[name].state_dict(),
            "optimizer": optim.state_dict() if optim is not None else None,
            "scheduler": sched.state_dict() if sched is not None else None,
        }
    return {
        "identity": config_identity(trainer.cfg),
        ORIGIN: origin_of(trainer).as_record(),
        "epoch": epoch,
        "next_batch": next_batch,
        "best": [float(trainer.best_result), trainer.best_epoch],
        "models": models,
        "scaler": trainer.scaler.state_dict() if trainer.scaler is not None else None,
        "own": trainer._own_state.collect(),
    }


def apply_run_state(trainer: Any, state: dict[str, Any], directory: str | Path) -> None:
    """Restores a trainer's state, except the random states.

    Raises:
        CheckpointError: it belongs to another configuration, does not fit the models, or is damaged.
    """
    path = Path(directory) / RESUME_FILE
    if state["identity"] not in (config_identity(trainer.cfg), former_identity(trainer.cfg)):
        raise CheckpointError(f"The state in {directory} belongs to a run with other options; give that run's options")
    check_checkpoint(trainer, state, path)
    if state["models"].keys() != trainer._models.keys():
        raise CheckpointError(
            f"The state in {directory} holds {listed(list(state['models'])) or 'no model'}, but this trainer trains "
            f"{listed(list(trainer._models)) or 'none'}; resume with the same trainer"
        )
    try:
        _restore(trainer, state, f"the state in {directory}")
    except DAMAGE as error:
        if isinstance(error, MvlptError) or is_out_of_memory(error):
            raise
        raise CheckpointError(f"{path} is damaged ({type(error).__name__}: {first_line(error)}); {REMEDY}") from error


def _restore(trainer: Any, state: dict[str, Any], source: str) -> None:
    for name, saved in state["models"].items():
        trainer.load_model_state(name, saved["state_dict"], source)
        if saved["optimizer"] is not None:
            trainer._optims[name].load_state_dict(saved["optimizer"])
        if saved["scheduler"] is not None:
            trainer._scheds[name].load_state_dict(saved["scheduler"])
    if trainer.scaler is not None and state["scaler"]:
        trainer.scaler.load_state_dict(state["scaler"])
    trainer.best_result, trainer.best_epoch = state["best"]
    trainer._own_state.restore(state.get("own", []))  # states of version 0.1.0 have none


def resume_without_state(trainer: Any, directory: str | Path) -> int:
    """Goes on from the checkpoints in a folder without a saved state, and says so.

    Returns:
        The epoch to start with, 0 if there are none.

    Raises:
        CheckpointError: a checkpoint is missing or does not fit.
    """
    if not trainer.get_model_names() or not holds_dassl_checkpoints(directory):
        own = Path(directory).absolute() == Path(trainer.output_dir).absolute()
        log.log(logging.INFO if own else logging.WARNING, "No saved state in %s; the run starts anew", directory)
        return 0
    epoch = apply_dassl_checkpoints(trainer, directory)
    if epoch >= trainer.max_epoch:
        log.info("The checkpoints in %s are of the last epoch; only the test is left", directory)
    else:
        log.warning(
            "Going on in epoch %d from the checkpoints in %s, which hold no random states: the run goes on as a new "
            "one would from there",
            epoch + 1,
            directory,
        )
    return epoch


def apply_dassl_checkpoints(trainer: Any, directory: str | Path) -> int:
    """Restores weights, optimisers and schedules from the last complete checkpoints of a run, Dassl's or ours.

    Checkpoints have no random states, and Dassl saves its best score only in ``model-best``, where it is read.

    Returns:
        The epoch to start with.

    Raises:
        CheckpointError: a checkpoint is missing or does not fit.
    """
    found = _complete_checkpoints(Path(directory), trainer.get_model_names())
    for name, (path, content) in found.items():
        check_checkpoint(trainer, content, path)
        trainer.load_model_state(name, content["state_dict"], str(path))
        _continue_optimizer(trainer._optims[name], content.get("optimizer"), path)
        _continue_schedule(trainer._scheds[name], content["epoch"])
        best = Path(directory) / name / BEST_CHECKPOINT
        if best.is_file():
            kept = _load_numbered(best)
            if isinstance(kept.get("val_result"), float):
                trainer.best_result, trainer.best_epoch = kept["val_result"], kept["epoch"]
    return next(content["epoch"] for _, content in found.values())


def _complete_checkpoints(directory: Path, names: Sequence[str]) -> dict[str, tuple[Path, dict[str, Any]]]:
    """The file and content of every model's checkpoint, all of the last epoch of which each can be read.

    Raises:
        CheckpointError: there is no such epoch; the message is about the last.
    """
    reason: CheckpointError | None = None
    for paths in checkpoints_by_epoch(directory, names):
        try:
            found = {name: (path, _load_numbered(path)) for name, path in paths.items()}
        except CheckpointError as error:
            log.warning("%s; an earlier checkpoint is tried", error)
            reason = reason or error
            continue
        epochs = {content["epoch"] for _, content in found.values()}
        if len(epochs) == 1:
            return found
        reason = reason or CheckpointError(f"The checkpoints in {directory} are of several epochs: {sorted(epochs)}")
    raise reason or CheckpointError(
        f"The run in {directory} has no checkpoint of an epoch for each of its models: {', '.join(names)}"
    )


def _load_numbered(path: Path) -> dict[str, Any]:
    """A checkpoint that says after which epoch it was saved.

    Raises:
        CheckpointError: it does not, or cannot be read.
    """
    content = load_checkpoint(path)
    if not content.get("epoch"):
        raise CheckpointError(f"{path} does not say after which epoch it was saved; load it with --model-dir instead")
    return content


def _continue_optimizer(optim: Any, saved: Any, path: Path) -> None:
    if optim is None or not isinstance(saved, dict):
        return
    try:
        optim.load_state_dict(saved)
    except DAMAGE as error:
        log.warning("The optimiser in %s does not fit (%s); it starts from the beginning", path, error)


def _continue_schedule(sched: Any, epoch: int) -> None:
    """Advances a schedule by the epochs that are done, since Dassl's own record of it does not survive loading."""
    if isinstance(sched, EpochSchedule):
        sched.load_state_dict({"last_epoch": epoch, "base_lrs": sched.base_lrs})
    elif sched is not None:
        for _ in range(epoch):
            sched.step()
