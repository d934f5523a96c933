"""Runs whose tasks are scored by areas and precisions, and runs in which a task cannot be scored."""

import json

import numpy as np
import pytest
import torch
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.data import DATASET_REGISTRY, Datum
from mvlpt.engine import TRAINER_REGISTRY, run_config
from mvlpt.errors import ConfigError, DataError, EvaluationError
from mvlpt.report.leaderboard import TaskShape, write_run
from mvlpt.trainers.mvlpt_coop import MVLPTCoOp

SHORT = {"OPTIM__MAX_EPOCH": 1, "TEST__PREDICTIONS": True}


def register(name, base, *, relabel=None, **attributes):
    """A toy task with other labels in its test split, or another metric."""
    parent = DATASET_REGISTRY.get(base)

    class Task(parent):
        def __init__(self, cfg):
            super().__init__(cfg)
            self.name = name
            for key, value in attributes.items():
                setattr(self, key, value)
            if relabel is not None:
                for split in ("_train_x", "_val", "_test"):
                    items = getattr(self, split)
                    setattr(self, split, [Datum(i.impath, relabel(i, n)) for n, i in enumerate(items)])

    DATASET_REGISTRY.register(Task, name=name, force=True)
    return name


def run(folder, tasks, **options):
    cfg = toy_config(folder, DATASET__DATASET=tasks, **{**SHORT, **options})
    cfg.freeze()
    return run_config(cfg)


def submitted(folder, tmp_path, shape):
    """The recorded probabilities, which the file that would be sent in holds to six decimals."""
    ((path, _),) = write_run(folder, tmp_path / "sent", {shape[0]: TaskShape(*shape[1:])}, any_order=True)
    recorded = np.load(folder / "predictions" / f"{shape[0]}.npy")
    np.testing.assert_allclose(json.loads(path.read_text())["predictions"][0], recorded, atol=5.1e-7)
    return recorded


def test_the_area_of_a_run_is_the_area_of_its_submission_file(toy_tasks, tmp_path):
    from sklearn.metrics import roc_auc_score

    name = register("toy-memes", "toy-cold", metric="roc_auc", relabel=lambda item, n: n % 2)
    outcome = run(tmp_path / "run", name)
    sent = submitted(tmp_path / "run", tmp_path, (name, 8, 2))
    expected = 100 * roc_auc_score(np.arange(8) % 2, sent[:, 1])
    assert outcome.rows[0]["metric"] == "roc_auc"
    assert outcome.rows[0]["value"] == pytest.approx(expected, abs=1e-6)


def test_the_mean_precision_of_a_run_is_that_of_its_submission_file(toy_tasks, tmp_path):
    from sklearn.metrics import precision_recall_curve

    def relabel(item, n):
        return tuple(sorted({item.label, (item.label + n) % 5}))

    name = register("toy-voc", "toy-all", metric="11point_mAP", multi_label=True, relabel=relabel)
    outcome = run(tmp_path / "run", name)
    sent = submitted(tmp_path / "run", tmp_path, (name, 20, 5))
    truth = np.zeros((20, 5), bool)
    for row, item in enumerate(DATASET_REGISTRY.get(name)(toy_config(tmp_path / "x", DATASET__DATASET=name)).test):
        truth[row, list(item.label)] = True
    means = []
    for k in range(5):
        precision, recall, _ = precision_recall_curve(truth[:, k], sent[:, k])
        means.append(np.mean([precision[recall >= t].max() for t in np.linspace(1, 0, 11)]))
    assert outcome.rows[0]["value"] == pytest.approx(100 * np.mean(means), abs=1e-6)


def test_a_metric_that_the_labels_leave_undefined_is_found_before_training(toy_tasks, tmp_path):
    name = register("toy-oneclass", "toy-cold", metric="roc_auc", relabel=lambda item, n: 0)
    with pytest.raises(DataError, match=r"toy-oneclass cannot be scored on its 8 test images: roc_auc is not defined"):
        run(tmp_path / "run", f"toy-warm,{name}")
    assert not (tmp_path / "run").exists()
    run(tmp_path / "run", f"toy-warm,{name}", TEST__NO_TEST=True, TEST__PREDICTIONS=False)
    assert (tmp_path / "run" / "prompt.safetensors").is_file()


@pytest.mark.parametrize("options", [{}, {"RUN__MODE": "eval", "TRAINER__NAME": "ZeroshotCLIP"}], ids=["train", "eval"])
def test_a_split_without_images_is_found_before_anything_is_written(toy_tasks, tmp_path, options, caplog):
    class NoTest(DATASET_REGISTRY.get("toy-warm")):
        def __init__(self, cfg):
            super().__init__(cfg)
            self.name, self._test = "toy-notest", []

    DATASET_REGISTRY.register(NoTest, name="toy-notest", force=True)
    with pytest.raises(
        ConfigError, match=r"TEST\.SPLIT is test, but toy-notest has no test images; set TEST\.SPLIT val,"
    ):
        run(tmp_path / "run", "toy-notest", **options)
    with pytest.raises(
        ConfigError, match=r"TEST\.SPLIT is val, but toy-noval has no val images; set TEST\.SPLIT test,"
    ):
        run(tmp_path / "run", "toy-noval", TEST__SPLIT="val", **options)
    assert not (tmp_path / "run").exists()
    caplog.clear()
    rows = run(tmp_path / "both", "toy-cold,toy-notest", **options).rows
    assert {row["task"] for row in rows} == {"toy-cold"}
    assert [record.message for record in caplog.records if "score" in record.message] == [
        "toy-notest has no test images and will have no score"
    ]


def test_a_task_that_fails_in_the_test_costs_neither_the_prompt_nor_other_scores(toy_tasks, tmp_path):
    class Spoiled(MVLPTCoOp):
        """Scores of the second task's images are NaN, but in training."""

        def model_inference(self, input):
            logits = super().model_inference(input)
            logits[input.task == 1] = float("nan")
            return logits

    TRAINER_REGISTRY.register(Spoiled, name="Spoiled", force=True)
    with pytest.raises(EvaluationError, match=r"toy-cold cannot be scored: .* of .*\.png are not numbers \(NaN\)"):
        run(tmp_path / "run", "toy-warm,toy-cold", TRAINER__NAME="Spoiled")
    rows = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert [row["task"] for row in rows] == ["toy-warm"]
    assert (tmp_path / "run" / "prompt.safetensors").is_file()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["state"] == "failed"
    assert "toy-cold" in record["reason"]
    with pytest.raises(EvaluationError):
        run(tmp_path / "again", "toy-warm,toy-cold", TRAINER__NAME="Spoiled", RUN__MODE="eval",
            RUN__INIT_FROM=str(tmp_path / "run"))  # fmt: skip
    assert len((tmp_path / "again" / "results.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_task_that_fails_on_validation_ends_no_training(toy_tasks, tmp_path, epochs):
    class Spoiled(MVLPTCoOp):
        """Scores of the second task's images are NaN in the last epoch."""

        def model_inference(self, input):
            logits = super().model_inference(input)
            if self.epoch + 1 == epochs:
                logits[input.task == 1] = float("nan")
            return logits

    TRAINER_REGISTRY.register(Spoiled, name="Spoiled", force=True)
    options = {"TRAINER__NAME": "Spoiled", "TEST__FINAL_MODEL": "best_val", "OPTIM__MAX_EPOCH": epochs}
    with pytest.raises(EvaluationError, match="toy-cold cannot be scored"):
        run(tmp_path / "run", "toy-warm,toy-cold", **options)
    assert (
        f"The model of epoch {epochs} cannot be selected: toy-cold cannot be scored"
        in (tmp_path / "run" / "log.txt").read_text()
    )
    rows = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert {row["task"] for row in rows} == {"toy-warm"}
    assert (tmp_path / "run" / "prompt.safetensors").is_file()
    assert (tmp_path / "run" / "prompt_learner" / f"model.pth.tar-{epochs}").is_file()


def test_the_prompt_is_exported_before_an_unreadable_test_image_ends_the_run(toy_tasks, tmp_path):
    parent = DATASET_REGISTRY.get("toy-cold")

    class Broken(parent):
        def __init__(self, cfg):
            super().__init__(cfg)
            self.name = "toy-broken"
            self._test[3] = Datum(str(tmp_path / "absent.png"), self._test[3].label)

    DATASET_REGISTRY.register(Broken, name="toy-broken", force=True)
    with pytest.raises(DataError, match=r"absent\.png"):
        run(tmp_path / "run", "toy-broken")
    assert (tmp_path / "run" / "prompt.safetensors").is_file()
    saved = torch.load(tmp_path / "run/prompt_learner/model.pth.tar-1", weights_only=True)
    outcome = run(tmp_path / "run", "toy-broken", RESUME=str(tmp_path / "run"), DATASET__ON_BAD_IMAGE="skip")
    assert [row["n"] for row in outcome.rows] == [7]
    after = torch.load(tmp_path / "run/prompt_learner/model.pth.tar-1", weights_only=True)
    assert torch.equal(saved["state_dict"]["ctx"], after["state_dict"]["ctx"])  # nothing was trained again
