"""Evaluators: every image is ranked among its own task's classes and scored by that task's metric."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from yacs.config import CfgNode

from mvlpt.data import SplitSizes, TaskInfo
from mvlpt.engine.class_results import ClassResults, SurestMistakes, write_confusions, write_dassl_confusions
from mvlpt.errors import DataError, EvaluationError, UnknownNameError
from mvlpt.metrics import count_pairs, f1_of_counts, get_metric
from mvlpt.registry import Registry

log = logging.getLogger(__name__)

EVALUATOR_REGISTRY = Registry("evaluator")


@dataclass(frozen=True)
class TaskScore:
    """The score of one task.

    Attributes:
        task: its name.
        metric: its metric's name.
        value: in percent.
        higher_is_better: how to read ``value``.
        n: images scored.
        origin: where the task's splits come from (:attr:`mvlpt.data.TaskInfo.split_origin`).
    """

    task: str
    metric: str
    value: float
    higher_is_better: bool
    n: int
    origin: str = ""


class EvaluatorBase:
    """Dassl's interface of an evaluator."""

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg

    def reset(self) -> None:
        """Discards what was processed."""
        raise NotImplementedError

    def process(self, mo: torch.Tensor, gt: torch.Tensor) -> None:
        """Takes a batch of model output and labels."""
        raise NotImplementedError

    def evaluate(self) -> OrderedDict[str, float]:
        """Results in percent; the first selects models."""
        raise NotImplementedError


@EVALUATOR_REGISTRY.register()
class Classification(EvaluatorBase):
    """Scores one task or many.

    Metrics that the benchmark computes from probabilities (``roc_auc``, ``11point_mAP``) get the softmax over the
    task's classes, the numbers that ``TEST.PREDICTIONS`` writes; with ``TRAINER.LEGACY`` the raw scores, as upstream.

    Scores are kept per task and only for its own classes, as float32 on the CPU: ``4 * images * classes`` bytes; where
    the metric is accuracy and no per-class table is requested, only the predicted classes are kept.

    Args:
        cfg: the run's configuration.
        lab2cname: label to class name over the union of all classes.
        tasks: the tasks in the order of their ids; by default one task that holds all classes.
    """

    def __init__(
        self,
        cfg: CfgNode,
        lab2cname: Mapping[int, str] | None = None,
        tasks: Sequence[TaskInfo] | None = None,
        **_: Any,
    ) -> None:
        super().__init__(cfg)
        self._tasks = list(tasks) if tasks else None
        self._lab2cname = dict(lab2cname or {})
        self.reset()

    def reset(self) -> None:
        """Discards what was processed."""
        self.task_scores: list[TaskScore] = []
        self.class_results: list[ClassResults] = []
        self._mistakes: dict[int, SurestMistakes] = {}
        self._scores: dict[int, list[np.ndarray]] = {}
        self._labels: dict[int, list[np.ndarray]] = {}
        self._not_numbers: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        """The counts and lists that Dassl's evaluator keeps, for subclasses that read them."""
        if name not in ("_total", "_correct", "_y_true", "_y_pred"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        true, predicted = [], []
        for identity in sorted(self.__dict__.get("_labels", ())):
            start = self._tasks[identity].start if self._tasks else 0
            kept = np.concatenate(self._scores[identity])
            true += [int(label) + start for label in np.concatenate(self._labels[identity])]
            predicted += [int(label) + start for label in (kept if kept.ndim == 1 else kept.argmax(axis=1))]
        correct = sum(one == other for one, other in zip(true, predicted, strict=True))
        return {"_total": len(true), "_correct": correct, "_y_true": true, "_y_pred": predicted}[name]

    def process(
        self,
        mo: torch.Tensor,
        gt: torch.Tensor,
        task: torch.Tensor | None = None,
        images: Sequence[str] | None = None,
    ) -> None:
        """Takes a batch.

        Args:
            mo: scores (B, K) over the union of classes.
            gt: labels (B,) in the union's numbering, or multi-hot rows (B, K).
            task: task ids (B,); without them, as code for Dassl calls this, they follow from the labels.
            images: their files, for messages.
        """
        scores, labels = mo.detach().float().cpu(), gt.detach().cpu()
        ids = self._owners(labels) if task is None else task.detach().cpu()
        for identity in ids.unique().tolist():
            rows = ids == identity
            info = self._task(identity, scores.shape[1])
            own = scores[rows][:, info.start : info.stop]
            self._look_for_nan(identity, info, own, rows, images)
            kept = own if self._keeps_scores(info) else own.argmax(dim=1)
            self._scores.setdefault(identity, []).append(kept.numpy())
            chosen = labels[rows]
            if chosen.ndim == 2 and not info.multi_label:
                chosen = chosen[:, info.start : info.stop].argmax(dim=1)
            elif chosen.ndim == 2:
                chosen = chosen[:, info.start : info.stop]
            else:
                chosen = chosen - info.start
            if images is not None and not info.multi_label:
                names = [images[row] for row in rows.nonzero()[:, 0].tolist()]
                self._mistakes.setdefault(identity, SurestMistakes()).add(own, chosen, names)
            self._labels.setdefault(identity, []).append(chosen.numpy())

    def _owners(self, labels: torch.Tensor) -> torch.Tensor:
        """The task ids (B,) of labels: tasks share no class. A multi-hot row without a class is the first task's."""
        first = labels if labels.ndim == 1 else labels.argmax(dim=1)
        stops = torch.tensor([info.stop for info in self._tasks or ()][:-1])
        return torch.bucketize(first.long(), stops, right=True)

    def _look_for_nan(
        self, identity: int, info: TaskInfo, own: torch.Tensor, rows: torch.Tensor, images: Sequence[str] | None
    ) -> None:
        """Remembers a task's first image with a score that is NaN: any choice among its classes would be arbitrary.

        Where the softmax is scored, so is an image with an infinite score, or with scores of minus infinity only.
        """
        scored = own.softmax(dim=1) if self._softmax(info) else own
        broken = scored.isnan().any(dim=1)
        if identity in self._not_numbers or not broken.any():
            return
        position = int(rows.nonzero()[broken][0])
        seen = sum(len(part) for part in self._labels.get(identity, ())) + int(broken.nonzero()[0])
        self._not_numbers[identity] = str(images[position]) if images is not None else f"image {seen + 1}"

    def evaluate(self) -> OrderedDict[str, float]:
        """Scores every task that was seen.

        Returns:
            One task: its metric, then for single labels ``error_rate``, ``macro_f1`` and, with
            ``TEST.PER_CLASS_RESULT``, the mean over classes as ``perclass_accuracy``. Many: the mean over tasks as
            ``average``, then each task's metric under its name; ``DATASET.MULTITASK_EVALKEY`` moves to the front.

        Raises:
            DataError: no image was processed.
            EvaluationError: a task cannot be scored; ``task_scores`` holds the scores of the others.
        """
        if not self._labels:
            raise DataError("There is nothing to evaluate: the split holds no image; choose another TEST.SPLIT")
        several = len(self._tasks or ()) > 1
        results: OrderedDict[str, float] = OrderedDict()
        self.task_scores, self.class_results = [], []
        failed = []
        for identity in sorted(self._labels):
            labels = np.concatenate(self._labels[identity])
            scores = np.concatenate(self._scores[identity])
            info = self._task(identity, scores.shape[-1])
            try:
                score = self._score(identity, info, labels, scores)
            except (DataError, UnknownNameError) as error:
                failed.append(f"{info.name} cannot be scored: {error}")
                continue
            self.task_scores.append(score)
            results[info.name if several else score.metric] = score.value
            if not several and not info.multi_label:
                if score.metric == "accuracy":
                    results["error_rate"] = 100 - score.value
                results["macro_f1"] = 100 * f1_of_counts(_counts(info, labels, scores))
            if not info.multi_label:
                counts = _counts(info, labels, scores)
                mistakes = self._mistakes.get(identity, SurestMistakes()).surest
                self.class_results.append(
                    ClassResults(info.name, score.metric, score.value, tuple(info.classnames), counts, mistakes)
                )
                self._show_classes(self.class_results[-1], several)
                if self.cfg.TEST.PER_CLASS_RESULT and not several:
                    seen = counts.any(axis=1)
                    recalls = counts.diagonal()[seen] / counts[seen].sum(axis=1)
                    results["perclass_accuracy"] = 100 * float(recalls.mean())
        if failed:
            kept = f"; the scores of the other {len(self.task_scores)} tasks are kept" if self.task_scores else ""
            raise EvaluationError("; ".join(failed) + kept)
        if several:
            results["average"] = float(np.mean([score.value for score in self.task_scores]))
            key = self.cfg.DATASET.MULTITASK_EVALKEY
            results.move_to_end(key if key in results else "average", last=False)
        log.debug("%s", self._block(results), extra={"plain": True})
        return results

    def _block(self, results: Mapping[str, float]) -> str:
        """The result in the lines that Dassl prints and that scripts for its logs look for."""
        total = sum(score.n for score in self.task_scores)
        lines = ["=> result", f"* total: {total:,}"]
        if all(score.metric == "accuracy" for score in self.task_scores):
            correct = round(sum(score.n * score.value / 100 for score in self.task_scores))
            lines.append(f"* correct: {correct:,}")
        lines += [f"* {score.task}: {score.value:.2f}%" for score in self.task_scores if len(self.task_scores) > 1]
        spelled = {"error_rate": "error", "average": "accuracy", "perclass_accuracy": "average"}
        names = ("average",) if len(self.task_scores) > 1 else results
        lines += [f"* {spelled.get(name, name)}: {results[name]:.2f}%" for name in names]
        return "\n".join(lines)

    def _task(self, identity: int, classes: int) -> TaskInfo:
        if self._tasks is None:
            names = tuple(self._lab2cname.get(label, str(label)) for label in range(classes))
            name = self.cfg.DATASET.NAME or "task"
            return TaskInfo(name, names, 0, classes, "accuracy", False, (), SplitSizes(0, 0, 0))
        return self._tasks[identity]

    def _keeps_scores(self, info: TaskInfo) -> bool:
        return info.multi_label or info.metric != "accuracy"

    def _softmax(self, info: TaskInfo) -> bool:
        """Whether the task's metric gets probabilities; of a single class they would all be 1."""
        try:
            metric = get_metric(info.metric)
        except UnknownNameError:
            return False  # reported when the task is scored
        raw = self.cfg.TRAINER.LEGACY or info.num_classes == 1
        return metric.of_probabilities and not (raw and metric.name in ("roc_auc", "11point_mAP"))

    def _score(self, identity: int, info: TaskInfo, labels: np.ndarray, scores: np.ndarray) -> TaskScore:
        metric = get_metric(info.metric)
        if identity in self._not_numbers:
            raise DataError(
                f"the model's scores of {self._not_numbers[identity]} are not numbers (NaN), so {metric.name} is not"
                " defined; lower OPTIM.LR or compute in fp32"
            )
        if self._softmax(info):
            scores = torch.from_numpy(scores).softmax(dim=1).numpy()
        value = float(np.mean(scores == labels)) if scores.ndim == 1 else metric(labels, scores)
        return TaskScore(info.name, info.metric, 100 * value, metric.higher_is_better, len(labels), info.split_origin)

    def _show_classes(self, results: ClassResults, several: bool) -> None:
        counts = results.counts
        if self.cfg.TEST.PER_CLASS_RESULT:
            for label in np.flatnonzero(counts.sum(axis=1)):
                seen, right = counts[label].sum(), counts[label, label]
                log.debug(
                    "%s: %s: %d of %d images, %.1f %%",
                    results.task,
                    results.classes[label],
                    right,
                    seen,
                    100 * right / seen,
                )
        if self.cfg.TEST.COMPUTE_CMAT:
            path = write_confusions(results, self.cfg.OUTPUT_DIR)
            if not several:  # the file has room for one task
                write_dassl_confusions(results, self.cfg.OUTPUT_DIR)
            log.info("The confusion matrix of %s is in %s", results.task, path)


def _counts(info: TaskInfo, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Confusion matrix (K, K) from kept scores (N, K) or predictions (N,)."""
    return count_pairs(labels, scores if scores.ndim == 1 else scores.argmax(axis=1), info.num_classes)
