"""Training in rounds on unlabelled images: the model labels some of them, then a new prompt is tuned on these labels.

Shapes: N unlabelled images, K classes of a task, B batch, D width of features.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.data import Datum
from mvlpt.data.features import FeatureLoader
from mvlpt.data.sampling import PseudoLabelOptions, assign_labels, labelled_repeats, round_sizes
from mvlpt.errors import CheckpointError, ConfigError, DataError
from mvlpt.io import csv_text, write_file
from mvlpt.trainers.frozen_clip import FrozenCLIPTrainer

log = logging.getLogger(__name__)
FOLDER = "pseudo_labels"
FIELDS = ("task", "image", "label", "probability")


class Pool:
    """The training images of a run, those with labels first, and the loader of the current round.

    Args:
        dm: the data of the run, with unlabelled images.
        options: of the rounds.

    Attributes:
        loader: of all images; of their features, once these are kept.
        initial: the prompt that every round starts from.
    """

    def __init__(self, dm: Any, options: PseudoLabelOptions) -> None:
        self.dm, self.options = dm, options
        self.labelled: list[Datum] = list(dm.dataset.train_x or ())
        self.unlabelled: list[Datum] = list(dm.dataset.train_u)
        self.loader = dm.training_loader([*self.labelled, *self.unlabelled])
        self.evaluation = dm.evaluation_loader(self.unlabelled)
        self.initial: dict[str, torch.Tensor] = {}
        self._current: tuple[int, Any] = (-1, None)

    def task_of(self, item: Datum) -> int:
        """The number of an item's task."""
        return item.domain if len(self.dm.tasks) > 1 else 0

    def per_class(self, round: int) -> list[int]:
        """Images that a class of each task gets in a round."""
        classes = [task.num_classes for task in self.dm.tasks]
        counts = zip(self._counts(self.unlabelled), classes, strict=True)
        return [self.options.per_class_in(round, images, own) for images, own in counts]

    def sizes(self) -> list[int]:
        """Training images of each round, as far as they can be read."""
        classes = [task.num_classes for task in self.dm.tasks]
        counts = self._counts(self.unlabelled), classes, self._counts(self.labelled)
        return [sum(row) for row in round_sizes(self.options, *counts)]

    def _counts(self, items: Iterable[Datum]) -> list[int]:
        counts = Counter(map(self.task_of, items))
        return [counts[number] for number in range(len(self.dm.tasks))]

    def of_round(self, labels: dict[str, Any]) -> Any:
        """The loader of a round: labelled images under their own labels, unlabelled ones under the model's.

        Args:
            labels: ``round``, ``index`` (M,) among the unlabelled images and ``label`` (M,).

        Raises:
            CheckpointError: there are none, since the run goes on from checkpoints alone.
        """
        if not labels:
            raise CheckpointError(
                "The pseudo-labels of this round are not saved in checkpoints; start the run again without --resume"
            )
        round, loader = self._current
        if round == labels["round"]:
            return loader
        if loader is not None:
            loader.close()
        repeats = labelled_repeats(len(self.labelled), len(labels["index"]))
        positions = list(range(len(self.labelled))) * repeats
        items = self.labelled * repeats
        for index, label in zip(labels["index"].tolist(), labels["label"].tolist(), strict=True):
            item = self.unlabelled[index]
            positions.append(len(self.labelled) + index)
            items.append(Datum(item.impath, label, item.domain, self.dm.lab2cname[label]))
        loader = self.dm.training_loader(items)
        if isinstance(self.loader, FeatureLoader):
            loader = FeatureLoader(self.loader.bank.select(positions), loader)
        self._current = labels["round"], loader
        return loader


class PseudoLabelTrainer(FrozenCLIPTrainer):
    """A trainer that ``DATASET.PSEUDO_LABELS`` may let train without labels; nothing changes where it does not.

    FPL, IFPL and GRIP of Menghini et al. (NeurIPS 2023, arXiv 2306.01669, section 3.2): in each round the most probable
    images of every class get its label, and a prompt is tuned on them from the same start. The first round is labelled
    by the zero-shot model, or by the prompt that the run starts from (``--model-dir``); a later one by the prompt of
    the round before. Labelled images, where a number of shots is given, take part in each round, and weigh as much as
    all others together (the paper's semi-supervised setting).
    """

    takes_pseudo_labels = True
    _pool: Pool | None = None

    def build_data_loader(self) -> None:
        """The loaders; without labels, training images are all images until a round chooses some.

        Raises:
            ConfigError: a task gives its images several labels.
            DataError: there are no unlabelled images.
        """
        super().build_data_loader()
        self.pseudo_labels: dict[str, Any] = {}  # of the current round; saved and restored by the engine
        options = PseudoLabelOptions.of(self.cfg)
        if not options.used or self.cfg.RUN.MODE not in ("train", "build"):
            return
        check_tasks(self.cfg, self.dm)
        self._pool = Pool(self.dm, options)
        self.train_loader_x = self._pool.loader
        self.max_epoch = self.cfg.OPTIM.MAX_EPOCH * options.num_rounds

    def start_again(self, initial: dict[str, torch.Tensor]) -> None:
        """Puts the initial prompt back, with an optimiser and a schedule that have made no step."""
        raise NotImplementedError

    def before_train(self) -> None:
        """Remembers the start of every round, and takes up an earlier part of the run."""
        if self._pool is None:
            super().before_train()
            return
        state = self._models["prompt_learner"].state_dict()
        self._pool.initial = {name: value.detach().clone() for name, value in state.items()}
        super().before_train()
        self._pool.loader = self.train_loader_x
        batch = self.cfg.DATALOADER.TRAIN_X.BATCH_SIZE
        steps = [self.cfg.DATALOADER.EPOCH_STEPS or max(1, count // batch) for count in self._pool.sizes()]
        by_epoch = [count for count in steps for _ in range(self.cfg.OPTIM.MAX_EPOCH)]
        self._progress.expect(sum(by_epoch), sum(by_epoch[: self.start_epoch]) + self._next_batch)

    def before_epoch(self) -> None:
        """Labels the images of a round that begins."""
        super().before_epoch()
        if self._pool is None or self.epoch % self.cfg.OPTIM.MAX_EPOCH:
            return
        if self._pending is not None and self._next_batch:
            return  # inside the round's first epoch; its labels are about to be restored
        round = self.epoch // self.cfg.OPTIM.MAX_EPOCH
        self.pseudo_labels = self._labels(round)
        if round:
            self.start_again(self._pool.initial)

    def begin_epoch(self) -> int:
        """Trains on the images of the current round, in the order of an ordinary run on them."""
        if self._pool is None:
            return super().begin_epoch()
        self.train_loader_x = self._pool.of_round(self.pseudo_labels)
        start = super().begin_epoch()
        self.train_loader_x.set_epoch(self.epoch % self.cfg.OPTIM.MAX_EPOCH, start)
        return start

    @torch.no_grad()
    def _labels(self, round: int) -> dict[str, Any]:
        """Labels of a round (from 0), and a file of them.

        Raises:
            DataError: no image can be read.
        """
        pool = self._pool
        zero_shot = round == 0 and not self.cfg.RUN.INIT_FROM
        probability = self._probabilities(zero_shot)
        indices, labels, rows = [], [], []
        owner = np.array([pool.task_of(item) for item in pool.unlabelled])
        for number, (task, count) in enumerate(zip(self.dm.tasks, pool.per_class(round), strict=True)):
            mine = np.flatnonzero(owner == number)
            if not len(mine):
                continue
            own = probability[mine, : task.num_classes]
            chosen, label = assign_labels(own, count)
            indices.append(mine[chosen])
            labels.append(label + task.start)
            rows += [
                (task.name, pool.unlabelled[mine[i]].impath, task.classnames[k], f"{own[i, k]:.6f}")
                for i, k in zip(chosen, label, strict=True)
            ]
        index, label = np.concatenate(indices), np.concatenate(labels)
        if not len(index):
            raise DataError(f"None of the {len(pool.unlabelled)} unlabelled images can be read")
        log.info(
            "Round %d of %d: %d of %d unlabelled images have a label, given by %s",
            *(round + 1, pool.options.num_rounds, len(index), len(pool.unlabelled)),
            "the zero-shot model" if zero_shot else "the tuned prompt",
        )
        write_file(Path(self.output_dir) / FOLDER / f"round-{round + 1}.csv", csv_text([FIELDS, *rows]))
        return {"round": round, "index": torch.from_numpy(index), "label": torch.from_numpy(label)}

    def _probabilities(self, zero_shot: bool) -> np.ndarray:
        """(N, K) of the classes of each image's own task, NaN in the columns and rows that there are not."""
        pool, tasks = self._pool, self.dm.tasks
        self.set_model_mode("eval")
        weights = self.class_texts().weights if zero_shot else None
        found = np.full((len(pool.unlabelled), max(task.num_classes for task in tasks)), np.nan)
        for batch in self._as_features("unlabelled", pool.evaluation):
            input = self._input(batch)
            if weights is None:
                logits = self.model_inference(input)
            else:
                images = self.untuned_features(input.images) if input.features is None else input.features
                logits = self.backbone.logit_scale.exp() * images.to(weights.dtype) @ weights.t()
            for number in batch["task"].unique().tolist():
                rows, task = batch["task"] == number, tasks[number]
                own = logits[rows.to(logits.device), task.start : task.stop].float().softmax(dim=1)
                found[batch["index"][rows].numpy(), : task.num_classes] = own.cpu().numpy()
        return found


def check_tasks(cfg: CfgNode, dm: Any) -> None:
    """Refuses tasks that pseudo-labels cannot be given to.

    Raises:
        ConfigError: a task gives its images several labels.
        DataError: there are no unlabelled images.
    """
    several: Sequence[str] = [task.name for task in dm.tasks if task.multi_label]
    if several:
        raise ConfigError(
            f"{', '.join(several)} gives an image several labels, and a pseudo-label is one class; leave the task out,"
            " or set DATASET.PSEUDO_LABELS.METHOD none"
        )
    if not dm.dataset.train_u:
        raise DataError(
            f"{', '.join(task_names(cfg))} has no unlabelled images for DATASET.PSEUDO_LABELS: NUM_SHOTS"
            f" {cfg.DATASET.NUM_SHOTS} takes all training images with their labels; set it to -1 to use no labels"
        )
