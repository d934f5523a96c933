"""The evaluator: own classes only, each task's own metric, means and the key that selects models."""

import csv

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from mvlpt.config import get_cfg_default
from mvlpt.data import SplitSizes, TaskInfo
from mvlpt.engine.evaluation import Classification
from mvlpt.engine.evaluator_calls import build_evaluator
from mvlpt.errors import DataError, EvaluationError

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


def test_without_task_ids_tasks_follow_from_the_labels():
    scores, labels = torch.randn(50, 5, generator=torch.Generator().manual_seed(1)), torch.arange(50) % 5
    given, derived = evaluator(PETS, CARS), evaluator(PETS, CARS)
    given.process(scores, labels, task=(labels > 1).long())
    derived.process(scores, labels)
    assert derived.evaluate() == given.evaluate()
    rows = torch.nn.functional.one_hot(torch.tensor([0, 6, 2, 5]), 7).float()
    judge = evaluator(PETS, CARS, VOC)
    judge.process(rows, rows)
    judge.evaluate()
    assert [(score.task, score.n) for score in judge.task_scores] == [("pets", 1), ("cars", 1), ("voc", 2)]


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
    with caplog.at_level("DEBUG", logger="mvlpt"):
        results = judge.evaluate()
    assert results["perclass_accuracy"] == pytest.approx(75)  # a half of the cats, every dog
    assert "* average: 75.00%" in caplog.text
    assert "cat: 1 of 2 images, 50.0 %" in caplog.text
    with open(tmp_path / "confusion_pets.csv", newline="") as file:
        assert list(csv.reader(file))[1:] == [["cat", "1", "1"], ["dog", "0", "1"]]
    shares = confusion_matrix([0, 1, 0], [0, 1, 1], normalize="true")  # as Dassl computes them
    assert torch.equal(torch.load(tmp_path / "cmat.pt"), torch.from_numpy(shares))


def test_several_tasks_have_no_confusions_in_common(tmp_path):
    judge = evaluator(PETS, CARS, TEST__COMPUTE_CMAT=True, OUTPUT_DIR=str(tmp_path))
    judge.process(torch.eye(5)[[0, 2]], torch.tensor([0, 2]), task=torch.tensor([0, 1]))
    judge.evaluate()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion_cars.csv", "confusion_pets.csv"]


def test_without_tasks_all_classes_are_one_task_as_in_dassl():
    judge = evaluator()
    judge.process(torch.eye(3), torch.tensor([0, 1, 1]))
    assert judge.evaluate()["accuracy"] == pytest.approx(200 / 3)


MEMES = TaskInfo("memes", ("kind", "hateful"), 0, 2, "roc_auc", False, (), SIZES)


def benchmark_map(labels, logits):
    """11-point mAP by the benchmark's recipe, from scikit-learn's curves of softmax probabilities."""
    from sklearn.metrics import precision_recall_curve

    e = np.exp(logits - logits.max(1, keepdims=True))
    probabilities, means = e / e.sum(1, keepdims=True), []
    for k in range(labels.shape[1]):
        precision, recall, _ = precision_recall_curve(labels[:, k], probabilities[:, k])
        means.append(np.mean([precision[recall >= t].max() for t in np.linspace(1, 0, 11)]))
    return 100 * np.mean(means)


def test_areas_and_precisions_are_those_of_the_softmax_over_the_tasks_classes():
    from sklearn.metrics import roc_auc_score

    generator = torch.Generator().manual_seed(5)
    logits = 3 * torch.randn(40, 7, generator=generator)
    truth = torch.arange(40) % 2
    judge = evaluator(MEMES)
    judge.process(logits[:, :2], truth)
    probability = logits[:, :2].softmax(1)[:, 1]
    assert judge.evaluate()["roc_auc"] == pytest.approx(100 * roc_auc_score(truth, probability))
    assert abs(roc_auc_score(truth, probability) - roc_auc_score(truth, logits[:, 1])) > 0.02  # the raw score differs

    labels = (torch.rand(40, 7, generator=generator) < 0.4).float()
    voc = TaskInfo("voc", tuple("abcdefg"), 0, 7, "11point_mAP", True, (), SIZES)
    judge = evaluator(voc)
    judge.process(logits, labels)
    assert judge.evaluate()["11point_mAP"] == pytest.approx(benchmark_map(labels.numpy(), logits.numpy()), abs=1e-4)


def test_legacy_scores_raw_logits_as_upstream():
    from sklearn.metrics import roc_auc_score

    logits, truth = torch.tensor([[5.0, 1], [0, 0.5], [9, 2], [0, 1.5]]), torch.tensor([0, 1, 0, 1])
    for legacy, scores in ((True, logits[:, 1]), (False, logits.softmax(1)[:, 1])):
        judge = evaluator(MEMES, TRAINER__LEGACY=legacy)
        judge.process(logits, truth)
        assert judge.evaluate()["roc_auc"] == pytest.approx(100 * roc_auc_score(truth, scores))


@pytest.mark.parametrize("task", [PETS, MEMES, TaskInfo("pets", ("a", "b"), 0, 2, "mean-per-class", False, (), SIZES)])
def test_nan_names_the_task_and_the_image(task):
    judge = evaluator(task)
    judge.process(torch.eye(2), torch.tensor([0, 1]), images=["a.png", "b.png"])
    broken = torch.eye(2)
    broken[1, 0] = float("nan")
    judge.process(broken, torch.tensor([0, 1]), images=["c.png", "d.png"])
    with pytest.raises(EvaluationError, match=rf"{task.name} cannot be scored: .* of d.png are not numbers"):
        judge.evaluate()
    judge.reset()
    judge.process(torch.eye(2), torch.tensor([0, 1]))
    judge.process(broken, torch.tensor([0, 1]))
    with pytest.raises(EvaluationError, match="of image 4 are not numbers"):
        judge.evaluate()


def test_nan_of_other_tasks_classes_does_not_count():
    judge = evaluator(PETS, CARS)
    judge.process(torch.tensor([[1.0, 2, float("nan"), 0, 0]]), torch.tensor([1]), task=torch.tensor([0]))
    assert judge.evaluate()["pets"] == 100


def test_a_task_that_cannot_be_scored_leaves_the_others_their_scores():
    judge = evaluator(MEMES, CARS)
    judge.process(torch.eye(5)[[0, 0, 2, 3]], torch.tensor([0, 0, 2, 3]), task=torch.tensor([0, 0, 1, 1]))
    with pytest.raises(EvaluationError, match=r"memes cannot be scored: .*one of the two classes; the scores of"):
        judge.evaluate()
    assert [(score.task, score.value) for score in judge.task_scores] == [("cars", 100.0)]


@pytest.mark.parametrize("metric", ["roc_auc", "11point_mAP", "calibration_error"])
@pytest.mark.parametrize("row", [[float("inf"), 0.0], [-float("inf"), -float("inf")]])
def test_scores_whose_softmax_is_not_a_number_are_named(metric, row):
    info = TaskInfo("cars", ("a", "b"), 0, 2, metric, False, (), SplitSizes(0, 0, 0))
    evaluator = Classification(get_cfg_default(), tasks=[info])
    scores = torch.tensor([[0.1, 0.2], row, [0.3, 0.1]])
    evaluator.process(scores, torch.tensor([0, 1, 0]), images=["1.png", "2.png", "3.png"])
    with pytest.raises(EvaluationError, match=r"cars cannot be scored: the model's scores of 2\.png are not numbers"):
        evaluator.evaluate()


@pytest.mark.parametrize("legacy", [False, True])
def test_the_calibration_error_is_of_probabilities_always(legacy):
    cfg = get_cfg_default()
    cfg.TRAINER.LEGACY = legacy
    info = TaskInfo("cars", ("a", "b"), 0, 2, "calibration_error", False, (), SplitSizes(0, 0, 0))
    evaluator = Classification(cfg, tasks=[info])
    evaluator.process(torch.tensor([[8.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1]))
    confidence = 1 / (1 + np.exp(-8.0))
    assert evaluator.evaluate()["calibration_error"] == pytest.approx(100 * abs(confidence - 0.75), abs=1e-4)
