"""What a run records of its test images: probabilities in the order of the test index, task by task."""

import json

import numpy as np
import pytest
import torch
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import TRAINER_REGISTRY, read_predictions, run_config
from mvlpt.errors import DataError


def recorded(folder):
    index = json.loads((folder / "predictions" / "index.json").read_text())
    return index, {task["name"]: np.load(folder / "predictions" / task["file"]) for task in index["tasks"]}


@pytest.mark.parametrize("sampler", ["SequentialSampler", "RandomSampler"])
def test_rows_are_softmax_over_the_tasks_own_classes_in_index_order(toy_tasks, tmp_path, sampler):
    cfg = toy_config(
        tmp_path / "run", DATASET__DATASET="toy-warm,toy-cold", TEST__PREDICTIONS=True, OPTIM__MAX_EPOCH=1,
        DATALOADER__TEST__SAMPLER=sampler, DATALOADER__TEST__BATCH_SIZE=5,
    )  # fmt: skip
    cfg.freeze()
    outcome = run_config(cfg)
    index, arrays = recorded(tmp_path / "run")
    assert {name: array.shape for name, array in arrays.items()} == {"toy-warm": (12, 3), "toy-cold": (8, 2)}
    trainer = TRAINER_REGISTRY.get(cfg.TRAINER.NAME)(cfg)
    trainer.load_model(tmp_path / "run")
    trainer.set_model_mode("eval")
    expected = {"toy-warm": [], "toy-cold": []}
    classes = {"toy-warm": slice(0, 3), "toy-cold": slice(3, 5)}
    for position, item in enumerate(trainer.dm.dataset.test):
        batch = {"img": trainer.test_loader.dataset[position]["img"][None], "task": torch.tensor([item.domain])}
        with torch.no_grad():
            logits = trainer.model_inference(trainer._input(batch))
        name = ("toy-warm", "toy-cold")[item.domain]
        expected[name].append(logits[0, classes[name]].softmax(0).numpy())
    for name, rows in expected.items():
        np.testing.assert_allclose(arrays[name], np.stack(rows), atol=1e-5)
    assert [row["task"] for row in outcome.rows] == list(arrays)
    tasks = read_predictions(tmp_path / "run")
    assert [image for task in tasks for image in task.images] == [item.impath for item in trainer.dm.dataset.test]
    for task, row in zip(tasks, outcome.rows, strict=True):
        assert 100 * task.correct().mean() == pytest.approx(row["value"], abs=1e-4)
        assert row["task"] == task.name
    assert (index["shots"], index["seed"], index["arm"]) == (2, 1, "all")
    assert (
        index["parameters"]["trainable"]
        == json.loads((tmp_path / "run" / "run.json").read_text())["trained_parameters"]
    )
    assert index["parameters"]["all"] == index["parameters"]["trainable"] + index["parameters"]["backbone"]


def test_unreadable_images_leave_rows_of_nan_and_are_counted(toy_tasks, tmp_path):
    from mvlpt.data import DATASET_REGISTRY, Datum

    class Spoiled(DATASET_REGISTRY.get("toy-cold")):
        def __init__(self, cfg):
            super().__init__(cfg)
            self._test[3] = Datum(str(tmp_path / "absent.png"), self._test[3].label)

    Spoiled.name = "toy-spoiled"
    DATASET_REGISTRY.register(Spoiled, name="toy-spoiled", force=True)
    cfg = toy_config(
        tmp_path / "run", DATASET__DATASET="toy-spoiled", TEST__PREDICTIONS=True, OPTIM__MAX_EPOCH=1,
        DATASET__ON_BAD_IMAGE="skip",
    )  # fmt: skip
    cfg.freeze()
    run_config(cfg)
    index, arrays = recorded(tmp_path / "run")
    assert index["tasks"][0]["missing"] == 1
    assert np.isnan(arrays["toy-spoiled"]).all(axis=1).tolist() == [place == 3 for place in range(8)]
    (task,) = read_predictions(tmp_path / "run")
    assert not task.correct()[3]
    assert task.images[3] == str(tmp_path / "absent.png")
    (tmp_path / "run" / "predictions" / "toy-spoiled.jsonl").write_text('{"image": "a", "labels": [0]}\n')
    with pytest.raises(DataError, match=r"shape \(8, 2\), but the task has 1 images and 2 classes; evaluate the run"):
        read_predictions(tmp_path / "run")[0].correct()


def test_nothing_is_recorded_unless_asked_for(toy_tasks, tmp_path):
    cfg = toy_config(tmp_path / "run", OPTIM__MAX_EPOCH=1)
    cfg.freeze()
    run_config(cfg)
    assert not (tmp_path / "run" / "predictions").exists()
    assert read_predictions(tmp_path / "run") == ()
