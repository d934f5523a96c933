"""Frozen CLIP backbones and the prompts that attach to them."""

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.backbone.loading import load_backbone
from mvlpt.models.builder import build_prompted_clip
from mvlpt.models.label_space import LabelSpace
from mvlpt.models.optimisations import Economy
from mvlpt.models.prompt_file import PromptFile, load_prompt, save_prompt
from mvlpt.models.prompted_clip import PromptedCLIP
from mvlpt.models.state import load_prompt_state
from mvlpt.models.zero_shot import zero_shot_text_features

__all__ = [
    "Backbone",
    "Economy",
    "LabelSpace",
    "PromptFile",
    "PromptedCLIP",
    "build_prompted_clip",
    "load_backbone",
    "load_prompt",
    "load_prompt_state",
    "save_prompt",
    "zero_shot_text_features",
]
