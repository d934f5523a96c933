"""Checkpoints in Dassl's layout: ``<folder>/<model name>/model.pth.tar-N``, ``model-best.pth.tar``, ``checkpoint``.

Each file holds ``state_dict, epoch, optimizer, scheduler, val_result``, with tensors and plain containers only, so
that it loads with ``weights_only=True``. Files are whole or absent. Dassl's old files are read too, without running
anything in them (:func:`mvlpt.io.read_tensors`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mvlpt.errors import CheckpointError, MissingCheckpointError
from mvlpt.io import (
    atomic_write,
    clean_text,
    listed,
    not_finite,
    read_tensors,
    read_text,
    strip_wrappers,
    write_file,
    write_tensors,
)

BEST_CHECKPOINT = "model-best.pth.tar"
NUMBERED = "model.pth.tar-"
POINTER = "checkpoint"
LONGEST_NAME = 255  # bytes
MOST_EPOCHS = 10**6


def save_checkpoint(
    state: Mapping[str, Any],
    save_dir: str | os.PathLike[str],
    is_best: bool = False,
    remove_module_from_keys: bool = True,
    model_name: str = "",
) -> Path:
    """Writes a checkpoint and, unless it is the best one, points ``checkpoint`` at it.

    Args:
        state: holds at least ``state_dict`` and ``epoch`` (epochs done).
        save_dir: the model's own folder.
        is_best: also write the state as the best so far.
        remove_module_from_keys: drop the prefixes of wrappers, such as the ``module.`` of ``nn.DataParallel``.
        model_name: file name; by default ``model.pth.tar-<epoch>``.

    Returns:
        The file written.
    """
    folder = Path(save_dir)
    content = dict(state)
    if remove_module_from_keys:
        content["state_dict"] = strip_wrappers(state["state_dict"])
    path = folder / (model_name or f"{NUMBERED}{state['epoch']}")
    write_tensors(content, path)
    if path.name != BEST_CHECKPOINT:
        write_file(folder / POINTER, path.name + "\n")
    if is_best and path.name != BEST_CHECKPOINT:
        write_tensors(content, folder / BEST_CHECKPOINT)
    return path


def load_checkpoint(fpath: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU.

    Raises:
        CheckpointError: the file is missing, empty, broken, or holds no ``state_dict``.
    """
    if fpath is None:
        raise CheckpointError("No checkpoint is named: the path is None")
    return _checked(read_tensors(fpath), fpath)


def load_state_dict(fpath: str | os.PathLike[str]) -> Mapping[str, torch.Tensor]:
    """The state dict in a file of weights: that of a checkpoint, or all that the file holds, such as torchvision's.

    Raises:
        CheckpointError: the file is missing, empty or broken, or holds something else.
    """
    content = read_tensors(fpath)
    if isinstance(content, Mapping) and "state_dict" not in content:
        content = {"state_dict": content}
    return _checked(content, fpath)["state_dict"]


def _checked(content: Any, fpath: str | os.PathLike[str]) -> dict[str, Any]:
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{fpath} is not a checkpoint of this kind: it has no 'state_dict'")
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"{fpath}: '{clean_text(name, 100)}' in its state_dict is not a tensor; do not trust the file"
            )
    epoch = content.get("epoch", 0)
    if type(epoch) is not int or not 0 <= epoch <= MOST_EPOCHS:
        raise CheckpointError(f"{fpath}: its epoch is {clean_text(repr(epoch), 60)}, not a number of epochs")
    if broken := not_finite(state):
        raise CheckpointError(
            f"{fpath}: '{broken[0]}' holds values that are not finite; the run that wrote it diverged"
        )
    return content


def holds_dassl_checkpoints(directory: str | Path) -> bool:
    """Whether a folder holds the checkpoints of a run in Dassl's layout."""
    folder = Path(directory)
    return folder.is_dir() and any(True for name in (POINTER, f"{NUMBERED}*") for _ in folder.glob(f"*/{name}"))


def checkpoints_by_epoch(directory: str | os.PathLike[str], names: Sequence[str]) -> list[dict[str, Path]]:
    """The checkpoints of all of a run's models: first those that ``checkpoint`` points to, then by falling epoch.

    Args:
        directory: the run's folder.
        names: its models.
    """
    folders = {name: Path(directory) / name for name in names}
    pointed = {name: path for name, folder in folders.items() if (path := last_checkpoint(folder)) is not None}
    numbers = [
        {int(end) for path in folder.glob(f"{NUMBERED}*") if (end := path.name.removeprefix(NUMBERED)).isdecimal()}
        for folder in folders.values()
    ]
    shared = sorted(set.intersection(*numbers), reverse=True) if numbers else []
    numbered = [{name: folder / f"{NUMBERED}{number}" for name, folder in folders.items()} for number in shared]
    first = [pointed] if len(pointed) == len(folders) else []
    return first + [paths for paths in numbered if paths not in first]


def epoch_to_load(directory: str | os.PathLike[str], names: Sequence[str]) -> int | None:
    """The epoch to ask a trainer's ``load_model`` for where the user named none.

    Returns:
        ``None``, which means the best checkpoint in code for Dassl, unless the run kept no best one: then the last.
    """
    if not names or (Path(directory) / names[0] / BEST_CHECKPOINT).is_file():
        return None
    last = last_checkpoint(Path(directory) / names[0])
    number = last.name.removeprefix(NUMBERED) if last is not None else ""
    return int(number) if number.isdecimal() else None


def bring_best(source: str | os.PathLike[str], target: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Copies the best checkpoints of a run to the folder of the run that goes on with it; the same folder stays."""
    for name in names:
        best, own = (Path(folder) / name / BEST_CHECKPOINT for folder in (source, target))
        if best.is_file() and not (own.exists() and own.samefile(best)):
            with open(best, "rb") as read, atomic_write(own, "wb") as write:
                shutil.copyfileobj(read, write)


def last_checkpoint(folder: str | os.PathLike[str]) -> Path | None:
    """The file that ``checkpoint`` in a model's folder points to, always one in the same folder; ``None`` without it.

    Raises:
        CheckpointError: ``checkpoint`` cannot be read.
    """
    pointer = Path(folder) / POINTER
    if not pointer.is_file():
        return None
    name = Path(read_text(pointer, error=CheckpointError, largest=4096, remedy="name the epoch to load").strip()).name
    if len(os.fsencode(name)) > LONGEST_NAME or "\0" in name:
        raise CheckpointError(
            f"{pointer} names '{clean_text(name, 60)}', which cannot be a file; name the epoch to load"
        )
    return pointer.with_name(name or "unnamed")


def find_checkpoint(directory: str | os.PathLike[str], name: str, epoch: int | None = None) -> Path:
    """The checkpoint of model ``name`` in a run's folder: that of ``epoch``, or else the best, or else the last.

    Raises:
        MissingCheckpointError: there is none; the message lists what is there.
    """
    folder = Path(directory) / name
    if epoch:
        path = folder / f"{NUMBERED}{epoch}"
        if path.is_file():
            return path
    elif (folder / BEST_CHECKPOINT).is_file():
        return folder / BEST_CHECKPOINT
    elif (last := last_checkpoint(folder)) is not None and last.is_file():
        return last
    present = sorted(file.name for file in folder.glob("model*")) if folder.is_dir() else []
    wanted = f"of epoch {epoch} " if epoch else ""
    there = f"that folder has {listed(present)}" if present else "name the output folder of a run"
    raise MissingCheckpointError(f"No checkpoint {wanted}in {folder}; {there}")
