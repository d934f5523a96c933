"""IVLP: deep contexts in both towers, independent of each other."""

from mvlpt.models.prompts.ivlp.learner import IndependentPromptLearner
from mvlpt.models.prompts.ivlp.method import IVLP, IVLPOptions

__all__ = ["IVLP", "IVLPOptions", "IndependentPromptLearner"]
