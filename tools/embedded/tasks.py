"""Reads the embedded tasks back from their folder."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from embedded.splits import SPLITS

TASK_FOLDER = Path(__file__).resolve().parents[2] / "mvlpt" / "assets" / "tasks"


def load_manifest(folder: Path = TASK_FOLDER) -> dict:
    """The manifest of all tasks."""
    return json.loads((folder / "tasks.json").read_text())


def read_index(folder: Path, split: str) -> list[tuple[str, int]]:
    """One split's index: (path in images.zip, label) in file order."""
    if split not in SPLITS:
        raise ValueError(f"Unknown split {split!r}; there are {', '.join(SPLITS)}.")
    entries = []
    for line in (folder / f"{split}.txt").read_text().splitlines():
        location, label = line.rsplit(" ", 1)
        archive, _, path = location.partition("@")
        if archive != "images.zip" or not path:
            raise ValueError(f"{folder / split}.txt: expected 'images.zip@path label', found {line!r}.")
        entries.append((path, int(label)))
    return entries


def load_split(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 3, 48, 48) float in [0, 1] and labels (N,) int64 of one split."""
    index = read_index(folder, split)
    with zipfile.ZipFile(folder / "images.zip") as archive:
        pixels = [np.asarray(Image.open(io.BytesIO(archive.read(path))).convert("RGB")) for path, _ in index]
    image = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    return image, torch.tensor([label for _, label in index])
