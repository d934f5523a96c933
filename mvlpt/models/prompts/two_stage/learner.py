"""The trained part of 2SFS: layer norms of both towers, and weights of the classes that were trained on."""

from __future__ import annotations

from torch import Tensor

from mvlpt.models.prompts.classes import PREFIX, ClassWeights
from mvlpt.models.prompts.layer_norm.learner import LayerNormLearner


class TwoStageLearner(LayerNormLearner):
    """Holds the parameters of :class:`LayerNormLearner`, and ``classes.weight`` and ``classes.codes``.

    Args:
        classes: the weights of the classes, none of them trained.
        norms: see :class:`LayerNormLearner`.
    """

    def __init__(self, classes: ClassWeights, *norms: object) -> None:
        super().__init__(*norms)
        self.classes = classes

    @property
    def fixed_towers(self) -> bool:
        """Whether the second stage has begun."""
        return not self.text_last.requires_grad

    def begin_first_stage(self) -> None:
        """The norms are trained; every class is encoded by the text tower."""
        self._train(norms=True)
        self.classes.clear()

    def begin_second_stage(self, features: Tensor) -> None:
        """The weights are trained, from text features (K, E) where a class has none yet; the norms stay."""
        self._train(norms=False)
        self.classes.start(features)

    def _train(self, *, norms: bool) -> None:
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(norms != name.startswith(PREFIX))
