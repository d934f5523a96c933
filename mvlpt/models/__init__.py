"""Frozen CLIP backbones and the prompts that attach to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.models.backbone.backbone import Backbone
    from mvlpt.models.backbone.loading import load_backbone, load_tokenizer
    from mvlpt.models.builder import TEXT_CHUNK, build_prompted_clip
    from mvlpt.models.label_space import LabelSpace
    from mvlpt.models.optimisations import ComputeOptimisations
    from mvlpt.models.origin import Mismatch, Origin, check_origin, compare_origins, hidden_options
    from mvlpt.models.prompt_file import PromptFile, load_prompt, save_prompt
    from mvlpt.models.prompted_clip import Outputs, PromptedCLIP
    from mvlpt.models.state import clean_prompt_state, load_prompt_state
    from mvlpt.models.test_time import confident_views, entropy_of_mean
    from mvlpt.models.zero_shot import zero_shot_text_features

__all__ = [
    "TEXT_CHUNK",
    "Backbone",
    "ComputeOptimisations",
    "LabelSpace",
    "Mismatch",
    "Origin",
    "Outputs",
    "PromptFile",
    "PromptedCLIP",
    "build_prompted_clip",
    "check_origin",
    "clean_prompt_state",
    "compare_origins",
    "confident_views",
    "entropy_of_mean",
    "hidden_options",
    "load_backbone",
    "load_prompt",
    "load_prompt_state",
    "load_tokenizer",
    "save_prompt",
    "zero_shot_text_features",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "TEXT_CHUNK": "builder",
        "Backbone": "backbone.backbone",
        "ComputeOptimisations": "optimisations",
        "LabelSpace": "label_space",
        "Mismatch": "origin",
        "Origin": "origin",
        "check_origin": "origin",
        "compare_origins": "origin",
        "confident_views": "test_time",
        "entropy_of_mean": "test_time",
        "hidden_options": "origin",
        "PromptFile": "prompt_file",
        "Outputs": "prompted_clip",
        "PromptedCLIP": "prompted_clip",
        "build_prompted_clip": "builder",
        "clean_prompt_state": "state",
        "load_backbone": "backbone.loading",
        "load_prompt": "prompt_file",
        "load_tokenizer": "backbone.loading",
        "load_prompt_state": "state",
        "save_prompt": "prompt_file",
        "zero_shot_text_features": "zero_shot",
    },
    renamed={"Economy": "ComputeOptimisations"},
)
