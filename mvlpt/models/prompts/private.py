"""Private parts: a low-rank factor by which each task changes the prompt that it shares with others.

Multitask Prompt Tuning (Wang et al., arXiv 2303.02861, section 3.1) makes the prompt of task t from a shared prompt P
and a private factor of low rank, P * (U_t V_t), entry by entry. Here it is P * (1 + U_t V_t) with U_t = 0 at the start,
as in LoRA (Hu et al., arXiv 2106.09685): training begins at the shared prompt itself. A product rather than a sum,
because prompts of text and of images, and of different blocks, differ in scale, and the factor is relative to it.

Shape legend: B images, K classes, P prompts, D width, J blocks with prompts of their own, R rank, T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mvlpt.errors import PromptError
from mvlpt.models.prompts.base import Prompts
from mvlpt.models.prompts.classes import PREFIX as CLASSES
from mvlpt.randomness import torch_stream

FIELDS = ("text", "first", "deep", "text_deep")
PREFIX = "private."  # of the names of parameters in checkpoints


class PrivateParts(nn.Module):
    """Holds ``task_<name>.<field>_u`` (..., P, R) and ``task_<name>.<field>_v`` (..., R, D) for every task.

    The fields are those of :class:`~mvlpt.models.prompts.base.Prompts`; ``...`` are the J blocks of deep prompts. The
    values of a task depend on its name and the seed, never on the other tasks.

    Args:
        tasks: names, in the order of their ids.
        prompts: the shared prompts, for their shapes.
        rank: R.
        seed: of the initial values.

    Raises:
        PromptError: a rank below 1, or two tasks of one name.
    """

    def __init__(self, tasks: Sequence[str], prompts: Prompts, rank: int, seed: int) -> None:
        super().__init__()
        if rank < 1:
            raise PromptError(f"The rank of private parts must be at least 1, not {rank}")
        if len(set(tasks)) < len(tasks):
            raise PromptError(f"Private parts need tasks of different names, not {', '.join(tasks)}")
        self.tasks, self.rank = tuple(tasks), rank
        for task in tasks:
            stream = torch_stream("private part", task, seed)
            part = nn.ParameterDict()
            for field in FIELDS:
                prompt = getattr(prompts, field)
                if prompt is not None:
                    u, v = _initial(prompt, field, rank, stream)
                    part[f"{field}_u"], part[f"{field}_v"] = nn.Parameter(u), nn.Parameter(v)
            self.add_module(_key(task), part)

    def prompts_of(self, prompts: Prompts, task: int) -> Prompts:
        """The prompts of one task: text (P, D) or (K, P, D), first (P, D), deep (J, P, D), as the shared ones."""
        part = self.get_submodule(_key(self.tasks[task]))
        changed = {}
        for field in FIELDS:
            prompt = getattr(prompts, field)
            if prompt is not None:
                factor = 1 + part[f"{field}_u"] @ part[f"{field}_v"]
                if prompt.ndim > factor.ndim and field == "text_deep":
                    factor = factor.unsqueeze(1)  # the same for all classes
                changed[field] = prompt * factor.to(prompt.dtype)
        return prompts._replace(**changed)

    def prompts_of_images(self, prompts: Prompts, task: Tensor) -> Prompts:
        """The visual prompts of a batch.

        Args:
            prompts: the shared ones.
            task: (B,) the task of every image.

        Returns:
            first (P, D) and deep (J, P, D) where all images are of one task, else (B, P, D) and (J, B, P, D).
        """
        present, index = task.unique(return_inverse=True)
        own = [self.prompts_of(prompts, number) for number in present.tolist()]
        if len(own) == 1:
            return own[0]
        first = torch.stack([one.first for one in own])[index]
        deep = None if prompts.deep is None else torch.stack([one.deep for one in own], dim=1)[:, index]
        return prompts._replace(first=first, deep=deep)


def _initial(prompt: Tensor, field: str, rank: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Zeros (..., P, R), and normal values (..., R, D) of variance 1 / R."""
    blocks = prompt.shape[:1] if field in ("deep", "text_deep") else ()
    u = torch.zeros(*blocks, prompt.shape[-2], rank, dtype=prompt.dtype)
    v = torch.randn(*blocks, rank, prompt.shape[-1], dtype=prompt.dtype, generator=stream) / rank**0.5
    return u, v


def _key(task: str) -> str:
    """A task's name as a part of a parameter's name, which takes no dots."""
    return "task_" + task.replace("%", "%25").replace(".", "%2E")


def shared_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A prompt's parameters without those of single tasks or classes: private parts and trained weights of classes."""
    return {name: value for name, value in state.items() if not name.startswith((PREFIX, CLASSES))}


def fitting_state(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of a prompt for other tasks than it was trained on.

    Args:
        own: the parameters of the prompt that takes them.
        state: those of the prompt that is loaded.

    Returns:
        The shared part of ``state`` with the private parts of the tasks in ``own``: from ``state`` where it has the
        task, else as they are.
    """
    tasks = {_task_of(name) for name in state if name.startswith(PREFIX)}
    kept = {name: value for name, value in own.items() if name.startswith(PREFIX) and _task_of(name) not in tasks}
    known = {_task_of(name) for name in own if name.startswith(PREFIX)}
    taken = {name: value for name, value in state.items() if name.startswith(PREFIX) and _task_of(name) in known}
    others = {name: value for name, value in state.items() if not name.startswith(PREFIX)}
    return {**others, **taken, **kept}


def explain_private(name: str, given: Sequence[int], own: Sequence[int]) -> str:
    """Why a private part in a checkpoint may have another shape than ours; empty for other parameters."""
    if not name.startswith(PREFIX):
        return ""
    axis = -1 if name.endswith("_u") else -2
    if given[axis] == own[axis]:
        return " (its private parts belong to a prompt of another size)"
    return f" (its private parts have rank {given[axis]}, the configuration asks for {own[axis]})"


def _task_of(name: str) -> str:
    return name.removeprefix(PREFIX).split(".")[0]
