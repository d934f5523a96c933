"""Data sets whose few-shot sample and class subset follow the config once a subclass has read the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.datum import Datum
from mvlpt.data.sampling.fewshot import few_shot_split
from mvlpt.data.sampling.folds import fold_split
from mvlpt.data.sampling.subsample import subsample_classes, subsampled_labels


class SampledDataset(DatasetBase):
    """Reads its files in ``read(cfg)``, draws the few-shot sample, and then keeps the chosen classes.

    The order is CoOp's: the images drawn for a class do not depend on ``DATASET.SUBSAMPLE_CLASSES``.

    Attributes:
        uses_sampling_options: ``DATASET.NUM_SHOTS`` and ``DATASET.SUBSAMPLE_CLASSES`` apply.
    """

    uses_sampling_options: bool = True

    def __init__(self, cfg: Any) -> None:
        splits, classnames = self.read(cfg)
        train, val, test = (list(splits.get(split) or ()) for split in ("train", "val", "test"))
        if self.uses_sampling_options:
            chosen = few_shot_split(
                train,
                val,
                protocol=cfg.DATASET.SAMPLING,
                task=self.name,
                num_classes=len(classnames),
                shots=cfg.DATASET.NUM_SHOTS,
                seed=cfg.SEED,
                merge_val=cfg.DATASET.get("MERGE_VAL", False),
            )
            half = cfg.DATASET.SUBSAMPLE_CLASSES
            train, val, test = subsample_classes(chosen.train, chosen.val, test, subsample=half)
            if half != "all":
                kept = subsampled_labels({item.label for item in chosen.train}, half)
                classnames = [classnames[label] for label in kept]
                self.synonyms = {new: self.synonyms[old] for new, old in enumerate(kept) if old in self.synonyms}
            if cfg.DATASET.get("FOLDS", 0):
                node, names = cfg.DATASET, {"task": self.name, "seed": cfg.SEED}
                train, val = fold_split(train, node.FOLD, node.FOLDS, unit=node.FOLD_UNIT, **names)
        super().__init__(train_x=train, val=val, test=test, classnames=classnames)

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        """All images by split (``train``, ``val``, ``test``; any may be absent), and the class names in label order."""
        raise NotImplementedError(f"{type(self).__name__} must implement read()")
