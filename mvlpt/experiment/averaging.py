"""The mean of the prompts of several runs, usually of several seeds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mvlpt.engine import (
    BEST_CHECKPOINT,
    ORIGIN,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
    saved_origin,
)
from mvlpt.errors import CheckpointError, RunFolderError
from mvlpt.io import clean_text, file_digest, read_json, write_json
from mvlpt.models import Origin, check_origin, clean_prompt_state
from mvlpt.models.prompts import shared_state

RECORD = "average.json"  # which runs and checkpoints were averaged


def average_states(states: Mapping[str, Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of every tensor.

    Args:
        states: name of each state, for messages, to the state; all of the same keys and shapes.

    Raises:
        CheckpointError: they differ, or are not floating-point numbers; the message says where and in what.
    """
    (first_name, first), *others = states.items()
    for name, state in others:
        for key in sorted(first.keys() | state.keys()):
            shapes = [tuple(s[key].shape) if key in s else "absent" for s in (first, state)]
            if shapes[0] != shapes[1]:
                raise CheckpointError(
                    f"These prompts cannot be averaged: {key} is {shapes[0]} in {first_name} and {shapes[1]} in {name}"
                )
    whole = next((key for key, value in first.items() if not value.is_floating_point()), None)
    if whole is not None:
        raise CheckpointError(
            f"{first_name} cannot be averaged: '{clean_text(whole, 100)}' is of {first[whole].dtype}, and prompts are"
            " floating-point numbers"
        )
    return {key: torch.stack([s[key].double() for s in states.values()]).mean(0).to(first[key]) for key in first}


def average_runs(
    runs: Sequence[str],
    output: str | os.PathLike[str],
    epoch: int = 0,
    name: str = "prompt_learner",
    resume: bool = False,
    force: bool = False,
) -> tuple[dict[str, Any], bool]:
    """Averages checkpoints and writes the mean as the best checkpoint in ``output``.

    The private parts of tasks are left out: they are factors of random values, which differ from run to run, so that
    only the shared prompts have a mean. ``average.json`` keeps the runs and the SHA-256 of their checkpoints.

    Args:
        runs: output folders of runs.
        output: folder for the mean.
        epoch: whose checkpoints; 0 takes the best, or else the last.
        name: folder of the checkpoints.
        force: average prompts even if they belong to different classes or backbones.
        resume: accept a mean that ``output`` holds, if it is one of these checkpoints.

    Returns:
        The checkpoint of the mean, and whether ``output`` held it before.

    Raises:
        CheckpointError: a checkpoint is missing, broken or does not fit the others, or it was trained with another
            backbone or, where the prompts are class-specific, on other classes.
        RunFolderError: ``output`` holds a prompt already; with ``resume``, another one.
    """
    folder = Path(output)
    exists = (folder / name / BEST_CHECKPOINT).exists()
    if exists and not resume:
        raise RunFolderError(f"{folder} holds a prompt already; choose another folder")
    paths = [find_checkpoint(run, name, epoch or None) for run in runs]
    if len({path.resolve() for path in paths}) < len(paths):
        raise CheckpointError("A run is named twice; its prompt would count double")
    hashes = sorted(file_digest(path, error=CheckpointError) for path in paths)
    if exists:
        known = read_json(folder / RECORD) if (folder / RECORD).exists() else {}
        if not isinstance(known, dict) or known.get("checkpoints") != hashes:
            raise RunFolderError(f"{folder} holds another prompt, not the mean of these; choose another folder")
        return load_checkpoint(folder / name / BEST_CHECKPOINT), True
    checkpoints = {str(path): load_checkpoint(path) for path in paths}
    origin = _common_origin({path: saved_origin(checkpoints[str(path)], path) for path in paths}, force)
    states = {path: clean_prompt_state(content["state_dict"]) for path, content in checkpoints.items()}
    state = average_states({path: shared_state(one) for path, one in states.items()})
    epochs = [int(content.get("epoch", 0)) for content in checkpoints.values()]
    mean = {"state_dict": state, "epoch": max(epochs), "optimizer": None, "scheduler": None, "val_result": None}
    mean |= {ORIGIN: origin.as_record()} if origin is not None else {}
    write_json({"runs": list(runs), "checkpoints": hashes}, folder / RECORD)  # before the mean, which it explains
    save_checkpoint(mean, folder / name, model_name=BEST_CHECKPOINT)
    return mean, False


def _common_origin(origins: Mapping[Path, Origin | None], force: bool) -> Origin | None:
    """The origin of the first prompt that has one, after a comparison with the others'.

    Raises:
        CheckpointError: they belong to different backbones, or class-specific ones to different classes.
    """
    known = {path: origin for path, origin in origins.items() if origin is not None}
    if not known:
        return None
    first = next(iter(known.values()))
    for path, origin in known.items():
        # a mean of prompts of two backbones means nothing, whatever the prompts
        bound = origin if origin.class_bound else replace(origin, class_names=(), class_bound=True)
        check_origin(bound, first, f"The prompt in {path}, unlike the first,", force=force)
    common = {
        key: value
        for key, value in first.sampling.items()
        if all(origin.sampling.get(key) == value for origin in known.values())
    }  # not the seed
    same = all(origin.class_names == first.class_names for origin in known.values())
    return replace(first, sampling=common) if same else replace(first, sampling=common, class_names=(), tasks=())
