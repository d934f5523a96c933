"""KgCoOp: CoOp whose text features stay near those of the untuned model."""

from __future__ import annotations

import torch

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import Outputs
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class KgCoOp(PromptTrainer):
    """Knowledge-guided context optimisation (Yao et al., CVPR 2023, arXiv 2303.13283, section 3.2).

    The loss is cross-entropy + W times the mean over classes of 1 - cos(tuned text feature, untuned one); for features
    of length one that is half the squared distance of the paper's equation 3. The untuned features are those of the
    task's templates. Options: ``TRAINER.COOP`` for the contexts, ``TRAINER.KGCOOP.W``.
    """

    method = "coop"
    section = prompt_section = "COOP"
    further_sections = ("KGCOOP",)

    def build_model(self) -> None:
        """The prompt, and the untuned text features."""
        super().build_model()
        self._untuned = self.class_texts().weights

    def losses(self, outputs: Outputs, label: torch.Tensor) -> torch.Tensor:
        """Cross-entropy (B,), and the distance of the classes' text features, the same for every image."""
        untuned = self._untuned if outputs.classes is None else self._untuned[outputs.classes]
        distance = 1 - (outputs.text_features * untuned).sum(dim=-1)
        return super().losses(outputs, label) + self.cfg.TRAINER.KGCOOP.W * distance.mean()
