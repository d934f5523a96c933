"""Loading a prompt learner's parameters: strictly, with every difference explained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mvlpt.errors import CheckpointError
from mvlpt.io import compare_states, listed, not_finite

# Upstream saves these fixed token embeddings with the prompt; they follow from the class names.
DERIVED = ("token_prefix", "token_suffix")


def clean_prompt_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Old names made new, derived tensors dropped: ``upt_proj`` is ``mvlpt_proj``.

    Raises:
        CheckpointError: something in it is no tensor.
    """
    cleaned = {}
    for key, value in state.items():
        name = str(key).removeprefix("module.").removeprefix("prompt_learner.")
        if name in DERIVED:
            continue
        if not isinstance(value, Tensor):
            raise CheckpointError(f"The checkpoint's '{name}' is a {type(value).__name__}, not a tensor")
        if name.startswith("upt_proj"):
            name = f"mvlpt_proj{name.removeprefix('upt_proj')}"
        cleaned[name] = value
    return cleaned


def load_prompt_state(
    prompt_learner: nn.Module, state: Mapping[str, Tensor], *, source: str = "the checkpoint"
) -> None:
    """Copies a state dict, ours or upstream's, into a prompt learner; nothing is changed if it does not fit.

    Args:
        prompt_learner: ``PromptedCLIP.prompt_learner``.
        state: parameters by name.
        source: what to call the state in messages, such as the file's name.

    Raises:
        CheckpointError: missing or unknown names, other shapes, values that are not finite.
    """
    cleaned = clean_prompt_state(state)
    own = dict(prompt_learner.state_dict())
    if differences := compare_states(own, cleaned):
        why = _why(own, cleaned, list(differences.shapes))
        raise CheckpointError(f"The prompt in {source} does not fit: {differences}{why}")
    if broken := not_finite(cleaned):
        raise CheckpointError(f"The prompt in {source} holds values that are not finite in {listed(broken)}")
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(cleaned[key])


def _why(own: dict[str, Tensor], given: Mapping[str, Tensor], keys: list[str]) -> str:
    """What a difference of shapes usually means."""
    for key in keys:
        mine, theirs = own[key].shape, given[key].shape
        if key in ("ctx", "cocoop_ctx") and len(mine) != len(theirs):
            return " (one prompt is class-specific (CSC), the other is not)"
        if key == "ctx" and len(mine) == 3 and mine[0] != theirs[0]:
            return f" (it was trained for {theirs[0]} classes, there are {mine[0]})"
        if key == "vpt_embeddings_deep" and mine[0] != theirs[0]:
            return f" (it was trained for a backbone of {theirs[0] + 1} blocks, this one has {mine[0] + 1})"
        if key in ("ctx", "cocoop_ctx", "vpt_embeddings", "vpt_embeddings_deep"):
            if mine[-1] != theirs[-1]:
                return " (it was trained for a backbone of another width)"
            if mine[-2] != theirs[-2]:
                return f" (it has {theirs[-2]} contexts, the configuration asks for {mine[-2]})"
    return ""
