"""VPT: learned tokens in the image tower."""

from mvlpt.models.prompts.vpt.learner import VisualPromptLearner
from mvlpt.models.prompts.vpt.method import VPT, VPTOptions, read_visual_section

__all__ = ["VPT", "VPTOptions", "VisualPromptLearner", "read_visual_section"]
