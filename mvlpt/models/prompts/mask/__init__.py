"""R-AMT: binary masks on the attention of the image tower."""

from mvlpt.models.prompts.mask.learner import MaskLearner
from mvlpt.models.prompts.mask.method import AttentionMask, MaskOptions

__all__ = ["AttentionMask", "MaskLearner", "MaskOptions"]
