"""The frozen towers, run with prompts: which tokens, in which batches, through which steps."""

from mvlpt.models.towers.image import ImageTower
from mvlpt.models.towers.text import TextTower
from mvlpt.models.towers.text_layout import (
    PLAIN_TEMPLATE,
    TextLayout,
    clean_class_names,
    plain_layout,
    prompt_layout,
)

__all__ = [
    "PLAIN_TEMPLATE",
    "ImageTower",
    "TextLayout",
    "TextTower",
    "clean_class_names",
    "plain_layout",
    "prompt_layout",
]
