"""Small stand-ins for files that public trainers read beside the data, and that their users get elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from support.public_runs import write_weights


def _teacher(folder: Path, root: Path) -> None:
    """PromptKD: CLIP's weights in ``clip``, and a teacher's prompt."""
    prompt = folder / "teacher_model" / "OxfordPets" / "VLPromptLearner"
    for one in (folder / "clip", prompt):
        one.mkdir(parents=True)
    write_weights(folder / "clip" / "ViT-B-16.pt")
    write_weights(folder / "clip" / "ViT-L-14.pt", "ViT-768")
    state = {"prompt_learner.ctx": torch.full((4, 512), 0.02)}
    torch.save({"state_dict": state, "epoch": 20}, prompt / "model-best.pth.tar")


def _anchors(folder: Path, root: Path) -> None:
    """ATPrompt's MaPLe_AnchorOPT: CLIP's weights in ``clip``, beside the repository's own anchors."""
    (folder / "clip").mkdir(parents=True)
    write_weights(folder / "clip" / "ViT-B-16.pt")
    (folder / "anchor_weights").symlink_to(root / "anchor_weights")


# By name: makes them in a folder for the repository at a path.
FILES: dict[str, Callable[[Path, Path], None]] = {"teacher": _teacher, "anchors": _anchors}
