"""LayerNorm tuning: scales and shifts of all layer norms of both towers."""

from mvlpt.models.prompts.layer_norm.learner import LayerNormLearner
from mvlpt.models.prompts.layer_norm.method import LayerNormOptions, LayerNormTuning

__all__ = ["LayerNormLearner", "LayerNormOptions", "LayerNormTuning"]
