"""Toy tasks in the embedded layout: coloured shapes that a prompt can learn to tell apart in seconds."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from mvlpt.config import Config, get_cfg_default

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 200, 60),
    "blue": (40, 60, 220),
    "yellow": (230, 220, 40),
    "white": (250, 250, 250),
}
PER_CLASS = {"train": 3, "val": 2, "test": 4}


def draw(colour: str, number: int, task: str) -> Image.Image:
    """A noisy bar of a colour; its place depends on task and number."""
    rng = np.random.default_rng([number, *task.encode()])
    pixels = rng.integers(0, 60, (48, 48, 3), dtype=np.uint8)
    top = int(rng.integers(4, 24))
    pixels[top : top + 16, 6:42] = COLOURS[colour]
    return Image.fromarray(pixels)


def write_task(root: Path, name: str, classes: Iterable[str], splits: Iterable[str] = ("train", "val", "test")) -> dict:
    """Writes one task's folder; returns its entry for ``tasks.json``."""
    classes = list(classes)
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "labels.txt").write_text("\n".join(classes) + "\n")
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        number = 0
        for split in ("train", "val", "test"):
            lines = []
            for label, colour in enumerate(classes):
                for _ in range(PER_CLASS[split] if split in splits else 0):
                    number += 1
                    data = io.BytesIO()
                    draw(colour, number, name).save(data, "PNG")
                    archive.writestr(f"{colour}/{number}.png", data.getvalue())
                    lines.append(f"images.zip@{colour}/{number}.png {label}")
            (folder / f"{split}.txt").write_text("\n".join(lines) + ("\n" if lines else ""))
    return {"subject": "colours", "look": "toy", "classes": classes}


def write_tasks(root: Path) -> Path:
    """Three tasks, and one without a validation split."""
    tasks = {
        "toy-warm": write_task(root, "toy-warm", ["red", "yellow", "white"]),
        "toy-cold": write_task(root, "toy-cold", ["blue", "green"]),
        "toy-all": write_task(root, "toy-all", COLOURS),
        "toy-noval": write_task(root, "toy-noval", ["red", "blue"], splits=("train", "test")),
    }
    (root / "tasks.json").write_text(json.dumps({"format_version": 1, "tasks": tasks}))
    return root


def toy_config(output: Path, **options: object) -> Config:
    """A quick run of MVLPT-CoOp on the embedded model; ``options`` with ``__`` for dots."""
    cfg = get_cfg_default()
    cfg.merge_from_file(Path(__file__).parents[2] / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")
    small = {"DATASET.NUM_SHOTS": 2, "DATALOADER.TRAIN_X.BATCH_SIZE": 4, "OPTIM.MAX_EPOCH": 3, "OPTIM.LR": 0.005}
    quiet = {"VERBOSE": False, "RUN.TENSORBOARD": False, "OUTPUT_DIR": str(output)}
    defaults = {**small, **quiet, "SEED": 1, "DATASET.DATASET": "toy-warm"}
    cfg.merge_from_list([word for pair in defaults.items() for word in pair])
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    return cfg
