"""The heads on frozen features by their names, and what to compare tuned prompts with."""

from __future__ import annotations

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models.heads import (
    CLAPHead,
    CrossModalHead,
    KNNHead,
    LPPlusPlusHead,
    TaskResHead,
    TFUPHead,
    TipAdapterFHead,
    TipAdapterHead,
)
from mvlpt.trainers.feature_head import FeatureHeadTrainer


@TRAINER_REGISTRY.register()
class TipAdapter(FeatureHeadTrainer):
    """Zero-shot classification with the training images as a memory; nothing is trained (Zhang et al. 2022)."""

    head = TipAdapterHead


@TRAINER_REGISTRY.register(name="TipAdapter-F")
class TipAdapterF(FeatureHeadTrainer):
    """Tip-Adapter whose memory is trained (Zhang et al. 2022, section 3.2)."""

    head = TipAdapterFHead


@TRAINER_REGISTRY.register(name="LP++")
class LPPlusPlus(FeatureHeadTrainer):
    """A linear probe blended with the text features, without a learning rate to choose (Huang et al. 2024)."""

    head = LPPlusPlusHead


@TRAINER_REGISTRY.register()
class CLAP(FeatureHeadTrainer):
    """A linear probe that starts at the zero-shot weights and stays near them (Silva-Rodriguez et al. 2024)."""

    head = CLAPHead


@TRAINER_REGISTRY.register()
class TaskRes(FeatureHeadTrainer):
    """A residual for every text feature (Yu et al. 2023)."""

    head = TaskResHead


@TRAINER_REGISTRY.register()
class CrossModalProbe(FeatureHeadTrainer):
    """A linear probe on image and text features alike (Lin et al. 2023)."""

    head = CrossModalHead


@TRAINER_REGISTRY.register(name="kNN")
class KNN(FeatureHeadTrainer):
    """The nearest training images vote; nothing is trained (Wu et al. 2018, section 3.4)."""

    head = KNNHead


@TRAINER_REGISTRY.register()
class TFUP(FeatureHeadTrainer):
    """Zero-shot classification with training images as a memory, whose labels are not read (Long et al. 2024).

    It takes all training images, those without labels, too. A few-shot sample is drawn by labels: set
    ``DATASET.NUM_SHOTS`` to -1.
    """

    head = TFUPHead
    takes_pseudo_labels = True  # and no labels at all

    def build_data_loader(self) -> None:
        """The loaders; images without labels are training images like the others."""
        super().build_data_loader()
        unlabelled = getattr(self.dm.dataset, "train_u", None)
        if unlabelled:
            self.train_loader_x = self.dm.training_loader([*(self.dm.dataset.train_x or ()), *unlabelled])
