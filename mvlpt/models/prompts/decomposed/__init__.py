"""DePT: a short prompt, and low-rank offsets of the embeddings of the tokens that follow it."""

from mvlpt.models.prompts.decomposed.learner import DecomposedPromptLearner
from mvlpt.models.prompts.decomposed.method import DecomposedOptions, DecomposedPrompt

__all__ = ["DecomposedOptions", "DecomposedPrompt", "DecomposedPromptLearner"]
