"""CLIP-LoRA: low-rank changes of the attention of both towers."""

from mvlpt.models.prompts.lora.learner import LowRankLearner
from mvlpt.models.prompts.lora.method import CLIPLoRA, LoRAOptions

__all__ = ["CLIPLoRA", "LoRAOptions", "LowRankLearner"]
