"""A trainer whose models are tested on the images of a split: the part of Dassl's ``SimpleTrainer`` that evaluates."""

from __future__ import annotations

import logging
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.engine.evaluation import TaskScore
from mvlpt.engine.evaluator_calls import process_batch, scores_of
from mvlpt.engine.metric_checks import check_has_images, loader_of
from mvlpt.engine.overrides import scored_test
from mvlpt.engine.predictions import record_predictions
from mvlpt.engine.trainer_base import TrainerBase
from mvlpt.errors import EvaluationError
from mvlpt.runtime import Interrupted, StopRequest

log = logging.getLogger(__name__)


class EvaluatedTrainer(TrainerBase):
    """Tests on the loaders of a split and keeps each task's score.

    Attributes:
        task_scores: of each split, the scores of the last test.
        final_epoch: that of the model which is tested, once training has ended.
        evaluator, dm: set by subclasses, as are ``val_loader`` and ``test_loader``.
    """

    cfg: CfgNode
    evaluator: Any
    dm: Any

    def __init__(self) -> None:
        super().__init__()
        self.final_epoch: int | None = None
        self.task_scores: dict[str, list[TaskScore]] = {}
        self._stop = StopRequest()

    @torch.no_grad()
    def test(self, split: str | None = None) -> float:
        """Evaluates on ``split`` (default ``TEST.SPLIT``) and returns the number that selects models, in percent.

        Raises:
            ConfigError: the split has no images.
            EvaluationError: a task cannot be scored; ``task_scores`` holds the others' scores.
            Interrupted: the user asked to stop, and training has ended.
        """
        self.set_model_mode("eval")
        self.evaluator.reset()
        split = split or self.cfg.TEST.SPLIT
        check_has_images(self, split)
        images = 0
        with record_predictions(self, split) as record:
            for batch in self.evaluation_batches(split):
                if self._stop.requested and self.final_epoch is not None:  # in training, the epoch is ended and saved
                    raise Interrupted(f"Stopped in the test after {images} images")
                input, label = self.parse_batch_test(batch)
                output = self.model_inference(input)
                process_batch(self.evaluator, output, label, batch)
                record(output, batch)
                images += len(label)
        try:
            results = self.evaluator.evaluate()
        except EvaluationError:
            self.task_scores[split] = list(self.evaluator.task_scores)
            raise
        self.task_scores[split] = scores_of(self.evaluator, results, self._task_name(), images)
        for name, value in results.items():
            self.write_scalar(f"{split}/{name}", value, self.epoch)
        log.debug("%s: %s", split, ", ".join(f"{name} {value:.2f}" for name, value in results.items()))
        return next(iter(results.values()))

    def _recorded_test(self, *args: Any, **kwargs: Any) -> Any:
        """Calls a subclass's own ``test`` and keeps what it scored, where that did not go through the engine's."""
        split = kwargs.get("split") or (args[0] if args else None) or self.cfg.TEST.SPLIT
        before = self.task_scores.get(split)
        result = scored_test(self, lambda: type(self).test(self, *args, **kwargs))
        if self.task_scores.get(split) is before:
            images = len(getattr(loader_of(self, split), "dataset", ()) or ())
            self.task_scores[split] = scores_of(self.evaluator, result, self._task_name(), images)
            if self.cfg.TEST.PREDICTIONS and split == "test":
                log.warning("%s tests in a way of its own: no predictions are recorded", type(self).__name__)
        return result

    def _task_name(self) -> str:
        return ",".join(task_names(self.cfg)) or type(self.dm.dataset).__name__

    def evaluation_batches(self, split: str) -> Any:
        """The batches of a split."""
        return loader_of(self, split)
