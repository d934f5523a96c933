"""``tools/average_prompts.py`` and ``mvlpt average``: the mean of the prompts of several runs, usually of seeds."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import torch

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.engine import BEST_CHECKPOINT, find_checkpoint, load_checkpoint, save_checkpoint
from mvlpt.errors import CheckpointError, RunFolderError
from mvlpt.io import read_json, write_json
from mvlpt.models.state import clean_prompt_state

RECORD = "average.json"  # what the mean was made of

EXAMPLES = """\
examples:
  mvlpt average output/seed1 output/seed2 output/seed3 --output-dir output/mean
  mvlpt train ... --model-dir output/mean       # a target starts from the mean

The runs must have tuned prompts of the same kind and size on the same backbone. Each run's best checkpoint is taken,
or its last where none is marked best; --load-epoch N takes that of epoch N. With --resume a mean of the very same
prompts that is there already is only reported.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser(
        "average", "Average the tuned prompts of several runs into one that --model-dir can load.", EXAMPLES
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="output folders of runs")
    parser.add_argument(
        "--output-dir", required=True, metavar="DIR", help="where the mean goes; must not hold a prompt yet"
    )
    parser.add_argument("--load-epoch", type=int, default=0, metavar="N", help="take the checkpoints of epoch N")
    parser.add_argument(
        "--model-name", default="prompt_learner", help="folder of the checkpoints (default: %(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="report a mean of these prompts that is there already")
    return parser


def average_states(states: dict[str, dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of every tensor.

    Args:
        states: where each state comes from, to the state; all of the same names and shapes.

    Raises:
        CheckpointError: they differ; the message says where and in what.
    """
    (first_name, first), *others = states.items()
    for name, state in others:
        for key in sorted(first.keys() | state.keys()):
            shapes = [tuple(s[key].shape) if key in s else "absent" for s in (first, state)]
            if shapes[0] != shapes[1]:
                raise CheckpointError(
                    f"These prompts cannot be averaged: {key} is {shapes[0]} in {first_name} and {shapes[1]} in {name}"
                )
    return {key: torch.stack([s[key].double() for s in states.values()]).mean(0).to(first[key]) for key in first}


def average_runs(
    runs: list[str], output: Path, epoch: int = 0, name: str = "prompt_learner", resume: bool = False
) -> tuple[dict[str, Any], bool]:
    """Averages checkpoints and writes the mean as the best checkpoint in ``output``.

    Beside it, ``average.json`` keeps the runs and the SHA-256 of the checkpoints it was made of.

    Args:
        runs: output folders of runs.
        output: where the mean goes.
        epoch: whose checkpoints; 0 takes the best, or else the last.
        name: folder of the checkpoints.
        resume: take the mean that is there already, if it is one of these checkpoints.

    Returns:
        The mean, and whether it was there already.

    Raises:
        CheckpointError: a checkpoint is missing, broken or does not fit the others.
        RunFolderError: ``output`` holds a prompt already; with ``resume``, another one.
    """
    there = (output / name / BEST_CHECKPOINT).exists()
    if there and not resume:
        raise RunFolderError(f"{output} holds a prompt already; choose another folder")
    paths = [find_checkpoint(run, name, epoch or None) for run in runs]
    if len({path.resolve() for path in paths}) < len(paths):
        raise CheckpointError("A run is named twice; its prompt would count double")
    hashes = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    if there:
        known = read_json(output / RECORD) if (output / RECORD).exists() else {}
        if not isinstance(known, dict) or known.get("checkpoints") != hashes:
            raise RunFolderError(f"{output} holds another prompt, not the mean of these; choose another folder")
        return load_checkpoint(output / name / BEST_CHECKPOINT), True
    checkpoints = {str(path): load_checkpoint(path) for path in paths}
    state = average_states({path: clean_prompt_state(content["state_dict"]) for path, content in checkpoints.items()})
    epochs = [int(content.get("epoch", 0)) for content in checkpoints.values()]
    mean = {"state_dict": state, "epoch": max(epochs), "optimizer": None, "scheduler": None, "val_result": None}
    write_json({"runs": list(runs), "checkpoints": hashes}, output / RECORD)  # before the mean, which it explains
    save_checkpoint(mean, output / name, model_name=BEST_CHECKPOINT)
    return mean, False


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    output = Path(args.output_dir)
    mean, was_there = average_runs(args.runs, output, args.load_epoch, args.model_name, args.resume)
    values = sum(tensor.numel() for tensor in mean["state_dict"].values())
    note = "; it was there already" if was_there else ""
    path = output / args.model_name / BEST_CHECKPOINT
    show(f"the mean of {len(args.runs)} prompts ({values:,} values) is in {path}{note}")
    return 0
