"""Folders of runs for tests of listings and comparisons, without training anything."""

import json
import os
from pathlib import Path

import numpy as np

from mvlpt.config import get_cfg_default
from mvlpt.engine import changed_options, config_identity
from support.scores import row


def run_folder(folder, values, *, state="finished", seed=1, shots=1, updated="2026-01-02T03:04:05+00:00", **options):
    """Writes what a run leaves: ``run.json``, ``config.yaml`` and ``results.jsonl``; returns the folder.

    Args:
        folder: where.
        values: task to score; empty for a run without scores.
        state, seed, shots, updated: of the run.
        **options: further options, as ``OPTIM__LR=0.1``.
    """
    cfg = get_cfg_default()
    arm = options.pop("arm", "single")
    pairs = {"TRAINER__NAME": "MVLPT-VPT", "DATASET__DATASET": ",".join(values) or "cats", **options}
    pairs |= {"SEED": seed, "DATASET__NUM_SHOTS": shots, "OUTPUT_DIR": str(folder)}
    cfg.merge_from_list([word for key, value in pairs.items() for word in (key.replace("__", "."), value)])
    folder = Path(folder)
    folder.mkdir(parents=True)
    content = {"format": 1, "state": state, "run": config_identity(cfg), "options": changed_options(cfg)}
    content |= {"updated": updated, "seconds": 2.5}
    if state == "failed":
        content["reason"] = "DataError: broken"
    (folder / "run.json").write_text(json.dumps(content))
    (folder / "config.yaml").write_text(cfg.dump())
    rows = [row(task, value, seed, arm, cfg.TRAINER.NAME, shots, run=content["run"]) for task, value in values.items()]
    if rows:
        (folder / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder


def predictions(folder, task, right, classes=("cat", "dog")):
    """Records predictions of a task in a run's folder: image i is right where ``right[i]``; its class is i mod 2."""
    target = Path(folder) / "predictions"
    target.mkdir()
    labels = np.arange(len(right)) % 2
    found = np.where(right, labels, 1 - labels)
    np.save(target / f"{task}.npy", np.eye(2, dtype="<f4")[found] * 0.8 + 0.1)
    lines = [json.dumps({"image": f"/data/{task}/{i}.png", "labels": [int(one)]}) for i, one in enumerate(labels)]
    (target / f"{task}.jsonl").write_text("\n".join(lines) + "\n")
    entry = {"name": task, "file": f"{task}.npy", "items": f"{task}.jsonl", "images": len(right)}
    entry |= {"classes": list(classes), "metric": "accuracy", "multi_label": False, "missing": 0}
    (target / "index.json").write_text(json.dumps({"format": 1, "tasks": [entry]}))


def entries(folder):
    """All files and folders below a folder."""
    return sorted(os.path.relpath(path, folder) for path in Path(folder).rglob("*"))
