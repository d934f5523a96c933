"""Runs of ``mvlpt train`` in processes forked from one that has imported everything, so that each takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import open_clip
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from mvlpt.dassl.clip.weights import random_state

LAYERS = 2
PRELOAD = ["torch", "torchvision", "open_clip", "torch.utils.tensorboard", "mvlpt.cli.train", "mvlpt.engine.run"]


def write_weights(path: Path, kind: str = "ViT") -> Path:
    """Random weights in OpenAI's layout, two blocks deep.

    Args:
        path: their file.
        kind: one of :data:`WEIGHTS`.
    """
    state = WEIGHTS[kind]()
    kept = {key: value for key, value in state.items() if _layer(key) < LAYERS}
    torch.save({key: value.half() for key, value in kept.items()}, path)
    return path


def _large_embedding() -> dict[str, torch.Tensor]:
    state = random_state(32)
    for key in ("text_projection", "visual.proj"):
        state[key] = torch.cat([state[key], state[key][:, :256]], dim=1)
    return state


def _resnet() -> dict[str, torch.Tensor]:
    tower = open_clip.model.ModifiedResNet((1, 1, 1, 1), output_dim=512, heads=32, image_size=32, width=64)
    text = {key: value for key, value in random_state(32).items() if not key.startswith("visual.")}
    return {**text, **{f"visual.{key}": value for key, value in tower.state_dict().items()}}


# By name: as wide as those of ViT-B/16, for images of 32 and 224 pixels; features of ViT-L/14's width; a ResNet.
WEIGHTS: dict[str, Callable[[], dict[str, torch.Tensor]]] = {
    "ViT": lambda: random_state(32),
    "ViT-224": lambda: random_state(224),
    "ViT-768": _large_embedding,
    "RN50": _resnet,
}


def _layer(key: str) -> int:
    parts = key.split(".")
    return int(parts[parts.index("resblocks") + 1]) if "resblocks" in parts else 0


def run(
    line: Sequence[object], folder: Path, output: Path, *, stop_after: int = 0, paths: Sequence[str] = ()
) -> tuple[int, str]:
    """Runs a command line in a folder.

    Args:
        line: words behind ``mvlpt``.
        folder: where it runs.
        output: a file that takes what it prints.
        stop_after: send SIGTERM behind this step of an optimiser; 0 for never.
        paths: folders that come first on ``sys.path``.

    Returns:
        The exit status and what was printed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    words = [str(word) for word in line]
    process = context.Process(target=_child, args=(words, str(folder), str(output), stop_after, list(paths)))
    process.start()
    process.join()
    return process.exitcode, output.read_text(errors="replace")


def _child(words: list[str], folder: str, output: str, stop_after: int, paths: list[str]) -> None:
    from mvlpt.cli import main

    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(folder)
    sys.path[:0] = paths
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    torch.set_num_threads(1)
    steps = [0]

    def count(*_: object) -> None:
        steps[0] += 1
        if steps[0] == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)

    register_optimizer_step_post_hook(count)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = main(words)
    sys.stdout.flush()
    sys.exit(status)
