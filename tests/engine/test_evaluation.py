"""The evaluator: own classes only, each task's own metric, means and the key that selects models."""

import csv

import pytest
import torch

from mvlpt.config import get_cfg_default
from mvlpt.data import SplitSizes, TaskInfo
from mvlpt.engine.evaluation import build_evaluator
from mvlpt.errors import DataError

SIZES = SplitSizes(0, 0, 0)
PETS = TaskInfo("pets", ("cat", "dog"), 0, 2, "accuracy", False, (), SIZES)
CARS = TaskInfo("cars", ("vw", "bmw", "kia"), 2, 5, "mean-per-class", False, (), SIZES)
VOC = TaskInfo("voc", ("bus", "man"), 5, 7, "11point_mAP", True, (), SIZES)


def evaluator(*tasks, **options):
    cfg = get_cfg_default()
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    return build_evaluator(cfg, lab2cname={}, tasks=tasks)


def test_an_image_is_ranked_among_its_own_tasks_classes():
    judge = evaluator(PETS, CARS)
    scores = torch.tensor(
        [[1.0, 2, 99, 99, 99], [3, 1, 99, 99, 99], [99, 99, 5, 1, 1], [99, 99, 5, 1, 1], [99, 99, 1, 7, 1]]
    )
    judge.process(scores[:3], torch.tensor([1, 1, 2]), task=torch.tensor([0, 0, 1]))
    judge.process(scores[3:], torch.tensor([3, 3]), task=torch.tensor([1, 1]))
    results = judge.evaluate()
    assert results["pets"] == 50
    assert results["cars"] == pytest.approx((100 + 50) / 2)  # recall of vw 1/1, of bmw 1/2
    assert next(iter(results)) == "average"
    assert results["average"] == pytest.approx(62.5)
    assert [(score.task, score.metric, score.n) for score in judge.task_scores] == [
        ("pets", "accuracy", 2),
        ("cars", "mean-per-class", 3),
    ]


def test_one_task_can_select_models():
    judge = evaluator(PETS, CARS, DATASET__MULTITASK_EVALKEY="cars")
    judge.process(torch.eye(5)[[0, 2]], torch.tensor([0, 2]), task=torch.tensor([0, 1]))
    assert next(iter(judge.evaluate())) == "cars"


def test_multi_label_and_single_label_rows_in_one_batch():
    judge = evaluator(PETS, CARS, VOC)
    labels = torch.zeros(4, 7)
    labels[0, 1] = labels[1, 5] = labels[2, 5] = labels[2, 6] = labels[3, 6] = 1
    scores = torch.zeros(4, 7)
    scores[0, 1], scores[1, 5], scores[2, 5:], scores[3, 6] = 1, 0.9, torch.tensor([0.8, 0.7]), 0.6
    judge.process(scores, labels, task=torch.tensor([0, 2, 2, 2]))
    results = judge.evaluate()
    assert results["pets"] == 100
    assert results["voc"] == pytest.approx(100)  # every positive stands before every negative
    assert results["average"] == pytest.approx(100)


def test_a_single_task_reports_error_and_f1_and_resets():
    judge = evaluator(PETS)
    judge.process(torch.eye(2)[[0, 1, 1]], torch.tensor([0, 1, 0]))
    results = judge.evaluate()
    assert list(results) == ["accuracy", "error_rate", "macro_f1"]
    assert results["accuracy"] == pytest.approx(200 / 3)
    assert results["macro_f1"] == pytest.approx(200 / 3)  # both classes: 2 * 1 / 3
    judge.reset()
    with pytest.raises(DataError, match="nothing to evaluate"):
        judge.evaluate()


def test_tables_on_demand(tmp_path, caplog):
    judge = evaluator(PETS, TEST__PER_CLASS_RESULT=True, TEST__COMPUTE_CMAT=True, OUTPUT_DIR=str(tmp_path))
    judge.process(torch.eye(2)[[0, 1, 1]], torch.tensor([0, 1, 0]))
    with caplog.at_level("INFO", logger="mvlpt"):
        judge.evaluate()
    assert "cat: 1 of 2 images, 50.0 %" in caplog.text
    with open(tmp_path / "confusion_pets.csv", newline="") as file:
        assert list(csv.reader(file))[1:] == [["cat", "1", "1"], ["dog", "0", "1"]]


def test_without_tasks_all_classes_are_one_task_as_in_dassl():
    judge = evaluator()
    judge.process(torch.eye(3), torch.tensor([0, 1, 1]))
    assert judge.evaluate()["accuracy"] == pytest.approx(200 / 3)
