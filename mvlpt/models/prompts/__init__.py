"""Prompt methods: one folder and one registration each. Importing this package registers the shipped ones."""

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.classes import ClassWeights, fitting_classes
from mvlpt.models.prompts.cocoop import CoCoOp
from mvlpt.models.prompts.contexts import ContextOptions, initial_contexts, learned_contexts, parameter_dtype
from mvlpt.models.prompts.coop import CoOp, CoOpOptions, TextPromptLearner, read_context_section
from mvlpt.models.prompts.decomposed import DecomposedOptions, DecomposedPrompt, DecomposedPromptLearner
from mvlpt.models.prompts.ivlp import IVLP, IndependentPromptLearner, IVLPOptions
from mvlpt.models.prompts.layer_norm import LayerNormLearner, LayerNormOptions, LayerNormTuning
from mvlpt.models.prompts.lora import CLIPLoRA, LoRAOptions, LowRankLearner
from mvlpt.models.prompts.maple import CoupledPromptLearner, MaPLe, MaPLeOptions
from mvlpt.models.prompts.mask import AttentionMask, MaskLearner, MaskOptions
from mvlpt.models.prompts.method import (
    PROMPT_METHODS,
    PromptCost,
    PromptMethod,
    WeightChangeMethod,
    plain_prompts,
    prompt_method,
    register_prompt_method,
)
from mvlpt.models.prompts.private import PrivateParts, explain_private, fitting_state, shared_state
from mvlpt.models.prompts.two_stage import TwoStage, TwoStageLearner, TwoStageOptions
from mvlpt.models.prompts.upt import UPT, UPTOptions
from mvlpt.models.prompts.vpt import VPT, VisualPromptLearner, VPTOptions, read_visual_section

__all__ = [
    "IVLP",
    "PROMPT_METHODS",
    "UPT",
    "VPT",
    "AttentionMask",
    "CLIPLoRA",
    "ClassWeights",
    "CoCoOp",
    "CoOp",
    "CoOpOptions",
    "ContextOptions",
    "CoupledPromptLearner",
    "DecomposedOptions",
    "DecomposedPrompt",
    "DecomposedPromptLearner",
    "IVLPOptions",
    "IndependentPromptLearner",
    "LayerNormLearner",
    "LayerNormOptions",
    "LayerNormTuning",
    "LoRAOptions",
    "LowRankLearner",
    "MaPLe",
    "MaPLeOptions",
    "MaskLearner",
    "MaskOptions",
    "PrivateParts",
    "PromptCost",
    "PromptLearner",
    "PromptMethod",
    "Prompts",
    "TextPromptLearner",
    "TwoStage",
    "TwoStageLearner",
    "TwoStageOptions",
    "UPTOptions",
    "VPTOptions",
    "VisualPromptLearner",
    "WeightChangeMethod",
    "explain_private",
    "fitting_classes",
    "fitting_state",
    "initial_contexts",
    "learned_contexts",
    "parameter_dtype",
    "plain_prompts",
    "prompt_method",
    "read_context_section",
    "read_visual_section",
    "register_prompt_method",
    "shared_state",
]
