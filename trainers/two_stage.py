"""2SFS: layer norms for most of a run, then a classifier on what the tuned towers compute."""

from __future__ import annotations

import torch

from mvlpt.data.features import FeatureCache
from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.engine.optim import EpochSchedule, build_staged_scheduler
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register(name="2SFS")
class TwoStageAdaptation(PromptTrainer):
    """Two-stage few-shot adaptation (Farina et al., CVPR 2025, arXiv 2503.11609, section 4).

    1. ``FIRST_SHARE`` of the epochs tune all layer norms of both towers, as ``LNTuning`` does.
    2. The others train weights of the classes, which start at the text features; nothing else changes.

    The schedule of learning rates begins anew with the second stage. Selective inference (section 4.2): a class that
    was trained on is compared by its weights, any other class by the text feature of the first stage. Options under
    ``TRAINER.TWOSTAGE``.
    """

    method = "two_stage"
    section = prompt_section = "TWOSTAGE"

    @property
    def first_epochs(self) -> int:
        """Epochs of the first stage."""
        return int(self.cfg.TRAINER.TWOSTAGE.FIRST_SHARE * self.cfg.OPTIM.MAX_EPOCH + 1e-6)

    def build_schedule(self, optimizer: torch.optim.Optimizer) -> EpochSchedule:
        """The schedule of the ``OPTIM`` section, once for each stage."""
        first = self.first_epochs
        return build_staged_scheduler(optimizer, self.cfg.OPTIM, (first, self.cfg.OPTIM.MAX_EPOCH - first))

    def before_epoch(self) -> None:
        """Begins the epoch's stage, or goes on with it; on pseudo-labels every round has both stages."""
        super().before_epoch()
        learner = self.model.prompt_learner
        if self.epoch % self.cfg.OPTIM.MAX_EPOCH < self.first_epochs:
            learner.begin_first_stage()
        elif not learner.fixed_towers:
            self._keep_share_of_norms()
            with torch.no_grad(), self._precision_context():
                features = self.model.text_features()
            learner.begin_second_stage(features)
            self.train_loader_x = self._second_loader()

    def _keep_share_of_norms(self) -> None:
        """Moves the norms to where ``RUN.START_SHARE`` wants them: the second stage works with what they end as."""
        begins = self.max_epoch - self.cfg.OPTIM.MAX_EPOCH + self.first_epochs  # of pseudo-labels in the last round
        if self._start_share is None or self.epoch < begins:
            return
        if self.epoch == begins and not self._next_batch:  # else it has begun in an earlier part of the run
            self._start_share.blend()
        self._start_share = None

    def _second_loader(self) -> object:
        """The training images, or where their views are fixed, the features that the tuned tower computes of them."""
        if not self._fixed_views() or self._pool is not None:
            return self.train_loader_x
        self.set_model_mode("eval")
        cache = FeatureCache(self.cfg.DATALOADER.FEATURE_CACHE_MB)
        with torch.random.fork_rng():
            kept = self._kept("train", self.train_loader_x, cache, "|tuned")
        if kept is not self.train_loader_x:
            self.train_loader_x.close()
        return kept
