"""Readers that attacks call directly; each returns an exit status, or raises as the package does."""

from __future__ import annotations

import numpy as np
import torch

from mvlpt.errors import PlanError
from mvlpt.io import parse_yaml, read_json, read_tensors, read_text, read_yaml

_KEPT = {
    torch._utils: ("_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_tensor"),
    torch: ("Size", "Tensor", "load", "save"),
    dict: ("items", "get"),
}


def _state() -> dict[str, object]:
    found = {f"{owner.__name__}.{name}": getattr(owner, name) for owner, names in _KEPT.items() for name in names}
    rebuild = torch._utils._rebuild_tensor_v2
    return {**found, "code": rebuild.__code__, "defaults": rebuild.__defaults__, "state": dict(vars(rebuild))}


def checkpoint(path: str) -> int:
    """Reads a checkpoint, and shows whether anything else in the process has changed."""
    before = _state()
    try:
        content = read_tensors(path)
    finally:
        if _state() != before:
            print("CHANGED the process")
    for value in content.values() if isinstance(content, dict) else ():
        if isinstance(value, dict):
            list(value.items())
    print("read", type(content).__name__)
    return 0


def weights(path: str) -> int:
    """Reads the weights of a backbone."""
    from pathlib import Path

    from mvlpt.models.backbone import weights as module

    module.read_weights(Path(path))
    return 0


def backbone(path: str) -> int:
    """Loads a backbone from a folder."""
    from mvlpt.models import load_backbone

    load_backbone(f"local-dir:{path}")
    return 0


def prompt(path: str) -> int:
    """Loads an exported prompt as a classifier, and uses it."""
    from mvlpt.inference import load

    load(path).predict_proba(np.zeros((48, 48, 3), dtype=np.uint8))
    return 0


def embedding(path: str) -> int:
    """Reads a task embedding."""
    from mvlpt.graph import TaskEmbedding

    TaskEmbedding.load(path)
    return 0


def json_file(path: str) -> int:
    """Reads JSON."""
    read_json(path, error=PlanError)
    return 0


def yaml_file(path: str) -> int:
    """Reads YAML, typed and as strings."""
    read_yaml(path)
    parse_yaml(read_text(path), path, strings=True)
    return 0


def image(path: str) -> int:
    """Reads an image."""
    from mvlpt.data.images import read_image

    read_image(path)
    return 0


def sample(path: str) -> int:
    """Reads a published few-shot sample of an embedded task."""
    from mvlpt.config import get_cfg_default
    from mvlpt.data import build_dataset

    cfg = get_cfg_default()
    cfg.merge_from_list(["DATASET.NAME", "weather-plain", "DATASET.NUM_SHOTS", 1, "DATASET.SAMPLES", path, "SEED", 1])
    build_dataset(cfg)
    return 0
