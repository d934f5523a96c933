"""What a prompt learner is, and what it passes to the towers.

Shape legend: B images, K classes, P contexts, J blocks, L blocks of the image tower, Dt and Dv widths of text and
vision tokens, E width of features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from torch import Tensor, nn

from mvlpt.models.towers.changes import TowerChange

if TYPE_CHECKING:
    from mvlpt.models.prompts.classes import ClassWeights
    from mvlpt.models.prompts.private import PrivateParts


class Prompts(NamedTuple):
    """Prompts as the towers take them; ``None`` where a method has none.

    Attributes:
        text: (P, Dt) contexts of the class prompts, or class-specific (K, P, Dt).
        first: (P, Dv) visual prompts of the first block, or (B, P, Dv) where images differ in them.
        deep: (J, P, Dv) or (J, B, P, Dv) visual prompts that replace the former ones before blocks 2 to J + 1;
            J <= L - 1.
        dropout: probability of dropping each number of the visual prompts in this pass.
        text_deep: (J, P, Dt) or (J, K, P, Dt) contexts that replace the former ones before blocks 2 to J + 1.
        text_offsets: (N, Dt) what is added to the embeddings of a class prompt's tokens, by their positions; N is the
            number of tokens that the text tower takes.
        text_change: changes of the text tower's weights.
        image_change: changes of the image tower's weights.
    """

    text: Tensor | None = None
    first: Tensor | None = None
    deep: Tensor | None = None
    dropout: float = 0.0
    text_deep: Tensor | None = None
    text_offsets: Tensor | None = None
    text_change: TowerChange | None = None
    image_change: TowerChange | None = None


class PromptLearner(nn.Module):
    """The trained part of a prompted CLIP; the names of its parameters are those in its checkpoints.

    A subclass computes its :class:`Prompts` in ``forward``; the other methods have defaults.

    Attributes:
        old_names: how parameters began in older checkpoints, to how they begin now.
        derived: tensors in checkpoints that follow from the class names and are not loaded.
        class_bound: it has parameters for each class besides class-specific contexts, so that it fits no other classes.
        private: what each task changes in the prompt that it shares with others; ``None`` where all share the whole.
        classes: trained weights of classes that take the place of their text features; ``None`` where there are none.
    """

    old_names: ClassVar[Mapping[str, str]] = {}
    class_bound: ClassVar[bool] = False
    derived: ClassVar[tuple[str, ...]] = ("token_prefix", "token_suffix")  # CoOp and the code built on it save these

    def __init__(self) -> None:
        super().__init__()
        self.private: PrivateParts | None = None
        self.classes: ClassWeights | None = None

    @property
    def fixed_towers(self) -> bool:
        """Whether nothing that is trained now changes what the towers compute, so that image features can be kept."""
        return False

    def forward(self) -> Prompts:
        """The shared prompts of this pass."""
        raise NotImplementedError(f"{type(self).__name__} does not compute its prompts")

    def contexts_for(self, image_features: Tensor) -> Tensor:
        """Contexts (B, P, Dt) for normalised image features (B, E); methods that are ``conditional`` define it."""
        raise NotImplementedError(f"The contexts of {type(self).__name__} do not depend on the image")

    def adapt(
        self, image_features: Tensor, text_features: Tensor, classes: Sequence[int] | None
    ) -> tuple[Tensor, Tensor]:
        """Changes features after the towers, as adapters and task residuals do; by default returns them unchanged.

        Args:
            image_features: (B, E), normalised.
            text_features: (K', E), normalised.
            classes: the K' classes; ``None`` for all.
        """
        return image_features, text_features

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Why a parameter in a checkpoint may have another shape than ours; empty where nothing is known."""
        return ""
