"""The contract of a prompt method: options, towers, construction, cost; and the registry that knows all methods."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from mvlpt.errors import BackboneError, PromptError, suggest
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.towers.text_layout import PLAIN_TEMPLATE, TextLayout, plain_layout
from mvlpt.models.towers.transformer_steps import is_standard
from mvlpt.registry import Registry

PLAIN_WORDS = len(PLAIN_TEMPLATE.format("").strip(" .").split())  # "a photo of a"
PROMPT_METHODS = Registry("prompt method")
M = TypeVar("M", bound="type[PromptMethod]")


@dataclass(frozen=True)
class PromptCost:
    """How a method lengthens the inputs of the towers, from which the cost of a run follows.

    Attributes:
        text_tokens: tokens of a class prompt besides the class name; those of the plain template by default.
        image_tokens: prompts among the tokens of an image, in each block.
    """

    text_tokens: int = PLAIN_WORDS
    image_tokens: int = 0


class PromptMethod:
    """One way of tuning a prompt. A subclass declares it; ``@register_prompt_method`` makes it known.

    Attributes:
        name: as in the header of prompt files and in ``build_prompted_clip(method=…)``.
        options: a frozen dataclass, every field with a default; its ``__post_init__`` checks the values.
        learner: the class of the trained part.
        trains_text: the text tower's output depends on trained parameters.
        trains_image: the image tower's output does.
        conditional: every image has contexts of its own, which ``learner.contexts_for`` computes from its feature.
    """

    name: ClassVar[str]
    options: ClassVar[type]
    learner: ClassVar[type[PromptLearner]]
    trains_text: ClassVar[bool] = False
    trains_image: ClassVar[bool] = False
    conditional: ClassVar[bool] = False

    def read_section(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """The options as a section of a configuration states them; by default each under its name in capitals."""
        return {field.name: section[field.name.upper()] for field in fields(self.options)}

    def option_names(self) -> tuple[str, ...]:
        """The names of all options."""
        return tuple(inspect.signature(self.options).parameters)

    def make_options(self, **arguments: Any) -> Any:
        """Checked options; arguments that belong to other methods are left out.

        Raises:
            PromptError: a value that does not fit.
        """
        known = self.option_names()
        return self.options(**{name: value for name, value in arguments.items() if name in known})

    def check_backbone(self, backbone: Backbone) -> None:
        """Raises BackboneError with the reason if the backbone cannot carry prompts of this method."""
        backbone.require_text_prompts()
        if self.trains_image:
            backbone.require_visual_prompts()

    def build(self, backbone: Backbone, class_names: Sequence[str], options: Any) -> tuple[PromptLearner, TextLayout]:
        """A fresh learner, drawn from torch's global generator, and the prompt of each class.

        Args:
            backbone: the frozen model.
            class_names: cleaned names.
            options: an instance of :attr:`options`.
        """
        raise NotImplementedError(f"The prompt method '{self.name}' does not say how to build its learner")

    def cost(self, options: Any) -> PromptCost:
        """What prompts of these options add to the towers' inputs; nothing by default."""
        return PromptCost()


class WeightChangeMethod(PromptMethod):
    """A method that changes weights of the towers; the text is "a photo of a NAME."."""

    trains_text = trains_image = True

    def check_backbone(self, backbone: Backbone) -> None:
        """The towers must be open_clip transformers whose blocks can be run step by step, if their weights change."""
        backbone.require_text_prompts()
        if not backbone.can_step_images:
            raise BackboneError(
                f"Backbone '{backbone.name}' cannot carry changes of its weights: its image tower is no ViT of"
                " open_clip that reads its class token"
            )
        towers = {"text": backbone.text.transformer} if self.trains_text else {}
        for tower, transformer in {**towers, "image": backbone.visual.transformer}.items():
            if not all(map(is_standard, transformer.resblocks)):
                raise BackboneError(
                    f"Backbone '{backbone.name}' cannot carry changes of its weights: its {tower} tower has blocks of"
                    " another kind than open_clip's"
                )


def register_prompt_method(method: M) -> M:
    """Class decorator that makes a method known under its name.

    Raises:
        KeyError: the name is taken.
    """
    PROMPT_METHODS.register(method(), name=method.name)
    return method


def prompt_method(name: str) -> PromptMethod:
    """The method of a name.

    Raises:
        PromptError: there is none; the message suggests the nearest.
    """
    if name not in PROMPT_METHODS:
        raise PromptError(f"Prompt method '{name}' is unknown{suggest(name, PROMPT_METHODS)}")
    return PROMPT_METHODS.get(name)


def plain_prompts(backbone: Backbone, class_names: Sequence[str]) -> TextLayout:
    """Class prompts without contexts, for methods that leave the text alone: "a photo of a dog."."""
    prompts = [PLAIN_TEMPLATE.format(name) for name in class_names]
    return plain_layout(backbone.tokenizer, prompts, backbone.context_length)
