"""Metrics against golden values of the benchmark's own programs and against independent formulas."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from mvlpt.errors import DataError, UnknownNameError
from mvlpt.metrics import (
    METRICS,
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    get_metric,
    label_problem,
    macro_f1,
    map_11_point,
    mean_per_class,
    roc_auc,
)

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden" / "metrics.json").read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["metric"])
def test_golden_values(case):
    assert get_metric(case["metric"])(case["y_true"], case["y_score"]) == pytest.approx(case["expected"], abs=1e-12)
    if "per_class" in case:
        truth, scores = np.array(case["y_true"]), np.array(case["y_score"])
        alone = [map_11_point(truth[:, k : k + 1], scores[:, k : k + 1]) for k in range(len(case["per_class"]))]
        assert alone == pytest.approx(case["per_class"])


@pytest.fixture
def random_case():
    rng = np.random.default_rng(0)
    scores = rng.random((60, 4)).round(1)  # with ties
    return rng.integers(0, 4, 60), scores / scores.sum(axis=1, keepdims=True)


def test_one_hot_rows_equal_class_ids(random_case):
    labels, scores = random_case
    rows = np.eye(4)[labels]
    for metric in (accuracy, mean_per_class, macro_f1, expected_calibration_error):
        assert metric(rows, scores) == metric(labels, scores)


def test_area_is_the_share_of_ordered_pairs(random_case):
    labels, scores = random_case[0] % 2, random_case[1][:, :2]
    pairs = list(itertools.product(scores[labels == 1, 1], scores[labels == 0, 1]))
    expected = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs])
    assert roc_auc(labels, scores) == pytest.approx(expected)
    assert roc_auc(labels, scores[:, 1]) == pytest.approx(expected)
    assert roc_auc(np.eye(2)[labels], scores) == pytest.approx(expected)


def test_area_of_rows_is_the_mean_over_columns(random_case):
    labels, scores = random_case
    rows = np.eye(4)[labels]
    expected = np.mean([roc_auc(rows[:, k], scores[:, k]) for k in range(4)])
    assert roc_auc(rows, scores) == pytest.approx(expected)


def test_eleven_points_equal_a_search_over_thresholds(random_case):
    rng = np.random.default_rng(1)
    truth, scores = rng.random((60, 4)) < 0.3, random_case[1]
    expected = []
    for k in range(4):
        best = []
        for tenth in range(11):
            points = [1.0] if tenth == 0 else []
            for cut in np.unique(scores[:, k]):
                chosen = scores[:, k] >= cut
                if truth[chosen, k].sum() * 10 >= tenth * truth[:, k].sum():
                    points.append(truth[chosen, k].mean())
            best.append(max(points))
        expected.append(np.mean(best))
    assert map_11_point(truth, scores) == pytest.approx(np.mean(expected))


def test_confusion_matrix_and_f1_from_counts():
    scores = np.eye(3)[[0, 0, 1, 1, 1, 0]]
    labels = [0, 0, 0, 1, 1, 2]
    assert confusion_matrix(labels, scores).tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert macro_f1(labels, scores) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert macro_f1([0, 0], np.eye(3)[[0, 0]]) == 1.0


def test_calibration_error_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert expected_calibration_error([0, 1, 0, 0], scores, bins=10) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    assert expected_calibration_error([0, 1], np.eye(2)) == 0.0
    with pytest.raises(DataError, match="softmax"):
        expected_calibration_error([0, 1], 100 * np.eye(2))


def test_records_say_how_to_read_a_value():
    assert all(name == metric.name for name, metric in METRICS.items())
    assert get_metric("accuracy").display(0.5) == 50
    assert not get_metric("ece").higher_is_better
    assert get_metric("mean_per_class") is METRICS["mean-per-class"]
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy'"):
        get_metric("acuracy")


@pytest.mark.parametrize(
    ("metric", "labels", "scores", "says"),
    [
        (accuracy, [0, 1], [[0.5, 0.5]], "2 labels but 1 rows"),
        (accuracy, [0, 2], np.eye(2), "0 to 2, but the scores have 2 classes"),
        (accuracy, [0, 1], [[np.nan, 1], [0, 1]], "NaN"),
        (accuracy, [], np.zeros((0, 3)), "shape"),
        (mean_per_class, [[1, 1], [0, 1]], np.eye(2), "exactly one class"),
        (map_11_point, np.zeros((2, 2)), np.eye(2), "no image has a label"),
        (map_11_point, np.zeros((2, 3)), np.eye(2), "do not fit"),
        (roc_auc, [1, 1], np.eye(2), "only one of the two classes"),
        (roc_auc, [1, 0], np.ones((2, 3)), "needs two classes"),
    ],
)
def test_undefined_values_are_refused(metric, labels, scores, says):
    with pytest.raises(DataError, match=says):
        metric(labels, scores)


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_agrees(seed):
    """An independent implementation, on scores with many ties and a class that never occurs."""
    from sklearn import metrics as reference

    rng = np.random.default_rng(seed)
    labels, scores = rng.integers(0, 4, 80), rng.random((80, 5)).round(1)
    predicted = scores.argmax(axis=1)
    assert accuracy(labels, scores) == reference.accuracy_score(labels, predicted)
    counts = reference.confusion_matrix(labels, predicted, labels=range(5))
    assert (confusion_matrix(labels, scores) == counts).all()
    f1 = reference.f1_score(labels, predicted, average="macro")
    assert macro_f1(labels, scores) == pytest.approx(f1, abs=1e-12)
    among_present = scores[:, :4].argmax(axis=1)
    recall = reference.balanced_accuracy_score(labels, among_present)
    assert mean_per_class(labels, scores) == pytest.approx(recall, abs=1e-12)
    area = reference.roc_auc_score(labels > 1, scores[:, 0])
    assert roc_auc(labels > 1, scores[:, 0]) == pytest.approx(area, abs=1e-12)
    rows = np.eye(5, dtype=int)[labels][:, :4]
    interpolated = []
    for k in range(4):
        precision, recall, _ = reference.precision_recall_curve(rows[:, k], scores[:, k])
        interpolated.append(np.mean([precision[recall >= point].max() for point in np.linspace(1, 0, 11)]))
    assert map_11_point(rows, scores[:, :4]) == pytest.approx(np.mean(interpolated), abs=1e-12)


def test_scores_may_be_infinite():
    """What a masked class scores; scikit-learn refuses it."""
    scores = np.array([[0.0, -np.inf], [-np.inf, 1.0], [2.0, np.inf]])
    assert accuracy([0, 1, 1], scores) == 1.0
    assert roc_auc([0, 1, 1], scores) == 1.0


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_refuses_nan(name):
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [np.nan, 0.5]])
    with pytest.raises(DataError, match="NaN"):
        METRICS[name]([0, 1, 1], scores)


@pytest.mark.parametrize(
    ("name", "counts", "images", "problem"),
    [
        ("roc_auc", [3, 0], 3, "every image, or none"),
        ("roc_auc", [0, 3], 3, "every image, or none"),
        ("roc_auc", [2, 1], 3, ""),
        ("roc_auc", [2, 1, 3], 3, "every image, or none"),  # several labels: the third class has no negative
        ("11point_mAP", [0, 0, 0], 4, "no image has a label"),
        ("11point_mAP", [0, 1, 0], 4, ""),
        ("accuracy", [4, 0], 4, ""),
    ],
)
def test_labels_show_whether_a_metric_is_defined(name, counts, images, problem):
    found = label_problem(name, counts, images)
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, -1], [[1, 0], [0, 1]]), ([0, 2], [[1, 0], [0, 1]]), ([0, float("nan")], [[1, 0], [0, 1]]),
     ([0.5, 1], [[1, 0], [0, 1]]), (["a", "b"], [[1, 0], [0, 1]]), ([0, 1], [[1j, 0], [0, 1]]),
     ([0, 1], [[None, 0], [0, 1]])],
    ids=["negative", "too large", "nan", "half", "words", "complex", "none"],
)  # fmt: skip
def test_every_metric_refuses_labels_and_scores_of_another_kind(name, labels, scores):
    with pytest.raises(DataError, match=r"Labels|Scores"):
        METRICS[name](labels, scores)
