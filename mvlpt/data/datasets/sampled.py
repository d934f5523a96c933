"""Data sets whose few-shot sample and class subset follow the config once a subclass has read the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.datum import Datum
from mvlpt.data.sampling.fewshot import FewShotSplit, few_shot_split
from mvlpt.data.sampling.folds import fold_split
from mvlpt.data.sampling.pseudo_labels import PseudoLabelOptions, left_out, without_labels
from mvlpt.data.sampling.sample_match import published_split
from mvlpt.data.sampling.sample_place import sample_place
from mvlpt.data.sampling.subsample import subsample_classes, subsampled_labels

SPLITS = ("train", "val", "test")


class SampledDataset(DatasetBase):
    """Reads its files in ``read(cfg)``, draws the few-shot sample, and then keeps the chosen classes.

    The order is CoOp's: the images drawn for a class do not depend on ``DATASET.SUBSAMPLE_CLASSES``. With
    ``DATASET.PSEUDO_LABELS`` the training images that are not in the few-shot sample are unlabelled ones, and all of
    them where no number of shots is given; their labels end here.

    Attributes:
        uses_sampling_options: ``DATASET.NUM_SHOTS`` and ``DATASET.SUBSAMPLE_CLASSES`` apply.
    """

    uses_sampling_options: bool = True

    def __init__(self, cfg: Any) -> None:
        splits, classnames = self.read(cfg)
        train, val, test, unlabelled = (list(splits.get(split) or ()) for split in (*SPLITS, "unlabelled"))
        if self.uses_sampling_options:
            chosen = self._sample(cfg, {"train": train, "val": val, "test": test}, classnames)
            half, rest = cfg.DATASET.SUBSAMPLE_CLASSES, left_out(train, [*chosen.train, *chosen.val])
            train, val, test, rest = subsample_classes(chosen.train, chosen.val, test, rest, subsample=half)
            if half != "all":
                kept = subsampled_labels({item.label for item in chosen.train}, half)
                classnames = [classnames[label] for label in kept]
                self.synonyms = {new: self.synonyms[old] for new, old in enumerate(kept) if old in self.synonyms}
            if cfg.DATASET.get("FOLDS", 0):
                node, names = cfg.DATASET, {"task": self.name, "seed": cfg.SEED}
                train, val = fold_split(train, node.FOLD, node.FOLDS, unit=node.FOLD_UNIT, **names)
            if PseudoLabelOptions.of(cfg).used:
                train, rest = ([], train) if cfg.DATASET.NUM_SHOTS < 1 else (train, rest)
                unlabelled = without_labels([*rest, *unlabelled])
        super().__init__(train_x=train, train_u=unlabelled or None, val=val, test=test, classnames=classnames)

    def _sample(self, cfg: Any, splits: Mapping[str, list[Datum]], classnames: Sequence[str]) -> FewShotSplit:
        """The training and validation images: those of a published sample, or drawn by the protocol."""
        shots = cfg.DATASET.NUM_SHOTS
        if given := cfg.DATASET.get("SAMPLES", ""):
            place = sample_place(given, task=self.name, folder=str(self.dataset_dir), shots=shots, seed=cfg.SEED)
            return published_split(place, splits, classnames, task=self.name, shots=shots, synonyms=self.synonyms)
        return few_shot_split(
            splits["train"],
            splits["val"],
            protocol=cfg.DATASET.SAMPLING,
            task=self.name,
            num_classes=len(classnames),
            shots=shots,
            seed=cfg.SEED,
            merge_val=cfg.DATASET.get("MERGE_VAL", False),
        )

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        """All images by split, and the class names in label order.

        Splits are ``train``, ``val``, ``test``, and ``unlabelled`` for images to train on without labels; any may be
        absent.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement read()")
