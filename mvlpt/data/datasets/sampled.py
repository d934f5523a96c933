"""Data sets that are sampled and halved as the config says, once their subclass has read the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.datum import Datum
from mvlpt.data.sampling.fewshot import few_shot_split
from mvlpt.data.sampling.subsample import subsample_classes, subsampled_labels


class SampledDataset(DatasetBase):
    """Reads its files in ``read(cfg)``, then draws the few-shot sample, then keeps the chosen classes, in this order.

    The order is CoOp's: which images of a class are drawn does not depend on ``DATASET.SUBSAMPLE_CLASSES``.

    Attributes:
        obeys_config: ``DATASET.NUM_SHOTS`` and ``DATASET.SUBSAMPLE_CLASSES`` apply.
    """

    obeys_config: bool = True

    def __init__(self, cfg: Any) -> None:
        splits, classnames = self.read(cfg)
        train, val, test = (list(splits.get(split) or ()) for split in ("train", "val", "test"))
        if self.obeys_config:
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
        super().__init__(train_x=train, val=val, test=test, classnames=classnames)

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        """All images by split (``train``, ``val``, ``test``; any may be absent), and the class names in label order."""
        raise NotImplementedError(f"{type(self).__name__} must say in read() where its images are")
