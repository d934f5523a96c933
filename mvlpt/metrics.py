"""Metrics of tasks: (labels, scores) to one number, a fraction where it is one.

``labels`` are class ids (N,), or rows (N, K) with a 1 for each class of the image; ``scores`` are (N, K), higher for
likelier classes. The definitions are those of the ELEVATER benchmark, in every detail:
``tests/data/golden/metrics.json`` holds values computed by its own programs. The tests also compare with scikit-learn,
which is not used here because it refuses infinite scores and takes longer to import than most commands run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvlpt.errors import DataError, UnknownNameError, suggest

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Metric:
    """A metric and how to read it.

    Attributes:
        name: its name in configs and results.
        function: (labels, scores) to a number.
        higher_is_better: the direction of improvement.
        percent: it is shown times 100.
        of_probabilities: the benchmark computes it from the softmax over the task's classes, not from logits.
    """

    name: str
    function: Callable[[ArrayLike, ArrayLike], float]
    higher_is_better: bool = True
    percent: bool = True
    of_probabilities: bool = False

    def __call__(self, labels: ArrayLike, scores: ArrayLike) -> float:
        return self.function(labels, scores)

    def display(self, value: float) -> float:
        """The number as it is shown."""
        return 100 * value if self.percent else value


def accuracy(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of images whose own class scores highest; of equal scores the lowest class counts."""
    truth, scores = _single(labels, scores)
    return float(np.mean(scores.argmax(axis=1) == truth))


def mean_per_class(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean recall over the classes that occur in the labels; the other classes' columns do not compete."""
    truth, scores = _single(labels, scores)
    present, truth = np.unique(truth, return_inverse=True)
    right = scores[:, present].argmax(axis=1) == truth
    return float(np.mean(np.bincount(truth, weights=right) / np.bincount(truth)))


def map_11_point(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean over classes with a positive of the 11-point interpolated average precision.

    The precision at recall 0 is always 1, and the thresholds are the floats of a linspace from 1 down to 0.
    """
    truth, scores = _multi(labels, scores)
    present = truth.any(axis=0)
    if not present.any():
        raise DataError("11point_mAP is not defined: no image has a label")
    return float(np.mean([_eleven_points(truth[:, k], scores[:, k]) for k in np.flatnonzero(present)]))


def _eleven_points(truth: NDArray[np.bool_], scores: Array) -> float:
    precision, recall = _precision_recall(truth, scores)
    thresholds = np.linspace(1, 0, 11)
    return float(np.mean([precision[recall >= threshold].max() for threshold in thresholds]))


def _precision_recall(truth: NDArray[np.bool_], scores: Array) -> tuple[Array, Array]:
    """Precision and recall at every distinct score, and the point of recall 0 and precision 1."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(truth[order])[ends]
    return np.append(hits / (ends + 1), 1.0), np.append(hits / hits[-1], 0.0)


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve; ties count half.

    With two columns, or one, the last is scored; label rows of more than two classes give the mean over columns.

    Raises:
        DataError: one of the two classes does not occur, or there are more than two.
    """
    truth, scores = _labels(labels), _scores(scores)
    if truth.ndim == 2 and truth.shape == scores.shape and truth.shape[1] > 2:
        return float(np.mean([_area(truth[:, k] > 0, scores[:, k]) for k in range(truth.shape[1])]))
    truth = truth.argmax(axis=1) if truth.ndim == 2 and truth.shape[1] > 1 else truth.reshape(-1)
    if scores.shape[1] > 2:
        raise DataError(f"roc_auc needs two classes, got scores of {scores.shape[1]}")
    _same_length(truth, scores)
    return _area(_class_ids(truth, 2) > 0, scores[:, -1])


def _area(truth: NDArray[np.bool_], scores: Array) -> float:
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        raise DataError("roc_auc is not defined: the labels hold only one of the two classes")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # mean rank of equal scores, counted from 1
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def macro_f1(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean F1 over the classes that occur among labels or predictions."""
    return f1_of_counts(confusion_matrix(labels, scores))


def f1_of_counts(matrix: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur, from a confusion matrix (K, K)."""
    sums = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float(np.mean(2 * matrix.diagonal()[sums > 0] / sums[sums > 0]))


def confusion_matrix(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.int64]:
    """(K, K) counts: row the class, column the prediction."""
    truth, scores = _single(labels, scores)
    return count_pairs(truth, scores.argmax(axis=1), scores.shape[1])


def count_pairs(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(K, K) counts from class ids (N,) and predicted ids (N,)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def expected_calibration_error(labels: ArrayLike, scores: ArrayLike, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equally wide bins of confidence, weighted by their images.

    Args:
        labels: class ids or one-hot rows.
        scores: probabilities (N, K).
        bins: number of bins.

    Raises:
        DataError: the scores are no probabilities.
    """
    truth, scores = _single(labels, scores)
    if scores.min() < -1e-6 or scores.max() > 1 + 1e-6:
        raise DataError("The calibration error needs probabilities; apply a softmax to the scores first")
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy),
        Metric("mean-per-class", mean_per_class),
        Metric("11point_mAP", map_11_point, of_probabilities=True),
        Metric("roc_auc", roc_auc, of_probabilities=True),
        Metric("macro_f1", macro_f1),
        Metric("calibration_error", expected_calibration_error, higher_is_better=False, of_probabilities=True),
    )
}
_ALIASES = {"mean_per_class": "mean-per-class", "map_11_point": "11point_mAP", "ece": "calibration_error"}


def get_metric(name: str) -> Metric:
    """The metric of this name.

    Raises:
        UnknownNameError: there is none; the message suggests the nearest name.
    """
    metric = METRICS.get(_ALIASES.get(name, name))
    if metric is None:
        raise UnknownNameError(f"No metric is named '{name}'{suggest(name, METRICS)}")
    return metric


def metric_problem(name: str, num_classes: int, *, multi_label: bool) -> str:
    """Why the metric is not defined for a task, and which one is; ``""`` if it is defined."""
    name = get_metric(name).name
    if multi_label and name not in ("11point_mAP", "roc_auc"):
        return f"{name} needs one class per image, but images have several; use 11point_mAP"
    if name == "roc_auc" and not multi_label and num_classes != 2:
        return f"roc_auc needs two classes, but there are {num_classes}; use accuracy"
    return ""


def label_problem(name: str, counts: ArrayLike, images: int) -> str:
    """Why a metric is not defined on a split, which shows before any score is known; ``""`` if it is defined.

    Args:
        name: of the metric.
        counts: (K,) images of each class; an image with several labels counts for each.
        images: images of the split.
    """
    name, counts = get_metric(name).name, np.asarray(counts)
    if name == "11point_mAP" and not counts.any():
        return "11point_mAP is not defined where no image has a label"
    if len(counts) == 2:
        counts = counts[:1]  # the first of two classes decides which one an image has
    if name == "roc_auc" and ((counts == 0) | (counts == images)).any():
        return "roc_auc is not defined where every image, or none, belongs to a class"
    return ""


def _scores(scores: ArrayLike) -> Array:
    array = np.asarray(scores)
    if array.dtype.kind not in "fiub":
        raise DataError(f"Scores must be real numbers, not {array.dtype}")
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.size == 0:
        raise DataError(f"Scores must be a table of images by classes, got shape {array.shape}")
    if np.isnan(array).any():
        raise DataError("Scores hold NaN, so no metric is defined")
    return array


def _same_length(truth: NDArray, scores: Array) -> None:
    if len(truth) != len(scores):
        raise DataError(f"There are {len(truth)} labels but {len(scores)} rows of scores")


def _single(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], Array]:
    """Class ids (N,) and scores (N, K), checked."""
    truth, scores = _labels(labels), _scores(scores)
    if truth.ndim == 2:
        if not (truth.shape[1] == 1 or (truth.astype(bool).sum(axis=1) == 1).all()):
            raise DataError("This metric needs exactly one class per image; use 11point_mAP for multi-label tasks")
        truth = truth.argmax(axis=1) if truth.shape[1] > 1 else truth[:, 0]
    _same_length(truth, scores)
    return _class_ids(truth, scores.shape[1]), scores


def _labels(labels: ArrayLike) -> NDArray:
    """Labels that are whole numbers, or rows of them."""
    array = np.asarray(labels)
    if array.dtype.kind not in "fiub" or not (array == np.trunc(array)).all():
        raise DataError("Labels must be class numbers, or rows of 0 and 1")
    return array


def _class_ids(truth: NDArray, classes: int) -> NDArray[np.int64]:
    truth = truth.astype(np.int64)
    if truth.min() < 0 or truth.max() >= classes:
        raise DataError(f"Labels run from {truth.min()} to {truth.max()}, but the scores have {classes} classes")
    return truth


def _multi(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Array]:
    """Truth (N, K) and scores (N, K), checked."""
    truth, scores = _labels(labels), _scores(scores)
    _same_length(truth, scores)
    if truth.ndim == 1:
        truth = np.eye(scores.shape[1], dtype=bool)[_class_ids(truth, scores.shape[1])]
    if truth.shape != scores.shape:
        raise DataError(f"Labels of shape {truth.shape} do not fit scores of shape {scores.shape}")
    return truth > 0, scores
