"""Loading a prompt learner's parameters: strictly, with every difference explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from mvlpt.errors import CheckpointError
from mvlpt.io import compare_states, listed, not_finite, strip_wrappers
from mvlpt.models.prompts import PROMPT_METHODS, PromptLearner, explain_private, fitting_classes, fitting_state


def clean_prompt_state(
    state: Mapping[str, Tensor], learners: Iterable[type[PromptLearner]] | None = None
) -> dict[str, Tensor]:
    """A checkpoint's tensors under the names they have today, without those that follow from the class names.

    Args:
        state: tensors by name.
        learners: whose names; by default those of all registered methods.

    Raises:
        CheckpointError: something in it is no tensor.
    """
    if learners is None:
        learners = [PROMPT_METHODS.get(name).learner for name in PROMPT_METHODS]
    learners = list(learners)
    derived = {name for learner in learners for name in learner.derived}
    old_names = {old: new for learner in learners for old, new in learner.old_names.items()}
    cleaned = {}
    # the model may have been wrapped, and the prompt learner in it too
    unwrapped = {key.removeprefix("prompt_learner."): value for key, value in strip_wrappers(state).items()}
    for name, value in strip_wrappers(unwrapped).items():
        if name in derived:
            continue
        if not isinstance(value, Tensor):
            raise CheckpointError(f"The checkpoint's '{name}' is a {type(value).__name__}, not a tensor")
        for old, new in old_names.items():
            if name.startswith(old):
                name = new + name.removeprefix(old)
                break
        cleaned[name] = value
    return cleaned


def load_prompt_state(
    prompt_learner: PromptLearner, state: Mapping[str, Tensor], *, source: str = "the checkpoint"
) -> None:
    """Copies a state dict, ours or upstream's, into a prompt learner; nothing is changed if it does not fit.

    Of private parts of tasks (:mod:`mvlpt.models.prompts.private`) those are copied whose tasks the learner has; a task
    that the state lacks keeps its own, which change nothing while they are fresh. Trained weights of classes
    (:mod:`mvlpt.models.prompts.classes`) are copied for the classes that both have.

    Args:
        prompt_learner: ``PromptedCLIP.prompt_learner``.
        state: parameters by name.
        source: what to call the state in messages, such as the file's name.

    Raises:
        CheckpointError: missing or unknown names, other shapes, values that are not finite.
    """
    cleaned = clean_prompt_state(state, [type(prompt_learner)])
    own = dict(prompt_learner.state_dict())
    cleaned = fitting_classes(own, fitting_state(own, cleaned))
    if differences := compare_states(own, cleaned):
        reasons = (
            explain_private(key, *pair) or prompt_learner.explain_mismatch(key, *pair)
            for key, pair in differences.shapes.items()
            if len(pair[0]) > 1  # numbers and vectors belong to no prompt
        )
        raise CheckpointError(f"The prompt in {source} does not fit: {differences}{next(filter(None, reasons), '')}")
    if broken := not_finite(cleaned):
        raise CheckpointError(f"The prompt in {source} holds values that are not finite in {listed(broken)}")
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(cleaned[key])
