"""What the user of a classifier asks for, besides the run or the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.models import Backbone


@dataclass(frozen=True)
class Request:
    """How a run or prompt is to be loaded.

    Attributes:
        task: one of several tasks.
        classes: new classes, or ``None`` for the task's.
        backbone: a loaded model or the name of one, instead of the recorded one.
        pretrained: tag or file of its weights.
        force: use a prompt on other weights than those it was trained with.
    """

    task: str | None = None
    classes: Sequence[str] | None = None
    backbone: str | Backbone | None = None
    pretrained: str | None = None
    force: bool = False
