"""A classifier says of the test images what the run said: for every trainer, from its folder or its prompt alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.toy import toy_config

from mvlpt.data import build_dataset
from mvlpt.engine import read_results, run_config
from mvlpt.inference import load

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
SHIPPED = sorted(path.parent.name for path in CONFIGS.glob("*/embedded.yaml"))
TASKS = "toy-warm,toy-cold"


def configured(folder, trainer, tasks=TASKS, **options):
    """A quick run of a shipped trainer, with the probabilities of its test images."""
    cfg = toy_config(folder)
    cfg.merge_from_file(CONFIGS / trainer / "embedded.yaml")
    options = {"OPTIM__MAX_EPOCH": 2, "DATASET__DATASET": tasks, "TEST__PREDICTIONS": True, **options}
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    cfg.freeze()
    return cfg


def assert_equal_to_the_run(classifier, cfg, task):
    folder = Path(cfg.OUTPUT_DIR)
    row = next(row for row in read_results(folder / "results.jsonl") if row["task"] == task)
    dataset = build_dataset(cfg, task)
    images = [item.impath for item in dataset.test]
    probabilities = classifier.predict_proba(images, batch_size=cfg.DATALOADER.TEST.BATCH_SIZE)
    score = 100 * np.mean(probabilities.argmax(axis=1) == [item.label for item in dataset.test])
    assert round(score, 6) == row["value"]
    entry = next(
        e for e in json.loads((folder / "predictions" / "index.json").read_text())["tasks"] if e["name"] == task
    )
    np.testing.assert_allclose(probabilities, np.load(folder / "predictions" / entry["file"]), atol=1e-5)
    assert list(classifier.class_names) == entry["classes"] == classifier.classes_.tolist()
    names = classifier.predict(images)
    assert names.tolist() == [entry["classes"][k] for k in probabilities.argmax(axis=1)]
    labels = [item.label for item in dataset.test]
    assert classifier.score(images, labels) == pytest.approx(row["value"] / 100)
    assert classifier.score(images, [dataset.classnames[label] for label in labels]) == pytest.approx(
        row["value"] / 100
    )


@pytest.mark.parametrize("trainer", SHIPPED)
def test_every_trainer(toy_tasks, tmp_path, trainer):
    several = trainer not in ("CoOp", "VPT", "UPT")
    cfg = configured(tmp_path / "run", trainer, TASKS if several else "toy-cold")
    run_config(cfg)
    task = "toy-cold" if several else None
    assert_equal_to_the_run(load(tmp_path / "run", task, device="cpu"), cfg, "toy-cold")
    prompt = tmp_path / "run" / "prompt.safetensors"
    if not prompt.exists():
        return
    alone = tmp_path / "elsewhere" / "given.safetensors"
    alone.parent.mkdir()
    prompt.rename(alone)
    assert_equal_to_the_run(load(alone, task), cfg, "toy-cold")
    assert_equal_to_the_run(load(tmp_path / "run", task), cfg, "toy-cold")  # from its checkpoints
    assert_equal_to_the_run(load(tmp_path / "run" / "prompt_learner", task), cfg, "toy-cold")
    assert_equal_to_the_run(load(tmp_path / "run" / "prompt_learner" / "model.pth.tar-2", task), cfg, "toy-cold")
