"""Distillation from the prompt that a run starts from, which stays frozen beside the one that is tuned.

Shapes: B images, K classes of all tasks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from yacs.config import CfgNode

from mvlpt.errors import ConfigError
from mvlpt.models import PromptedCLIP
from mvlpt.trainers.frozen_clip import TaskInput


class Distillation:
    """The teacher of PANDA (Zhong et al., arXiv 2208.10160, TKDE 2024), and its term of the loss.

    The source prompt classifies the target's images, too, and a distance to its logits joins cross-entropy with a
    weight, so that the target's prompt keeps what the source's knows. The paper's code takes the mean squared
    difference of logits, weighs it by the transferability of the pair, and starts the target's prompt afresh
    (``LOSS mse``, ``FRESH True``). Its teacher is tuned on the target first, since a language model needs a head for
    the target's labels; here text features are the head. By default the distance is the divergence of
    :func:`distance` and the prompt goes on from the source's, as in the arms that adapt.

    Args:
        model: whose prompt is tuned; fresh so far.
        options: ``TRAINER.MVLPT.DISTILL``.
    """

    def __init__(self, model: PromptedCLIP, options: CfgNode) -> None:
        self._model, self._options = model, options
        state = model.prompt_learner.state_dict()
        self._fresh = {name: value.detach().clone() for name, value in state.items()} if options.FRESH else None
        self._teacher: PromptedCLIP | None = None

    def begin(self) -> None:
        """Takes the prompt that the model holds now as the teacher's; with ``FRESH`` the model's begins anew."""
        self._teacher = self._model.frozen_copy()
        if self._fresh is not None:
            self._model.prompt_learner.load_state_dict(self._fresh)

    @torch.no_grad()
    def teach(self, input: TaskInput) -> Tensor:
        """The source prompt's logits (B, K)."""
        if input.features is not None:
            return self._teacher.outputs_of_features(input.features, task=input.task).logits
        return self._teacher.outputs(input.images, task=input.task).logits

    def losses(self, logits: Tensor, taught: Tensor) -> Tensor:
        """``WEIGHT`` times the distance of logits (B, K) to the teacher's (B, K), for each image (B,), fp32."""
        options = self._options
        return options.WEIGHT * distance(logits, taught, options.LOSS, options.TEMPERATURE)


def distance(logits: Tensor, taught: Tensor, kind: str, temperature: float = 1.0) -> Tensor:
    """How far logits are from a teacher's.

    Args:
        logits: (B, K), ``-inf`` outside an image's task.
        taught: (B, K) of the teacher, ``-inf`` in the same places.
        kind: ``kl``, the Kullback-Leibler divergence from the teacher's softmax to the other, both at ``temperature``,
            times its square (Hinton et al., arXiv 1503.02531, section 2); ``mse``, the mean squared difference.
        temperature: of ``kl``.

    Returns:
        (B,), fp32.
    """
    known = torch.isfinite(taught)
    if kind == "mse":
        gap = (logits.float() - taught.float()).masked_fill(~known, 0).square()
        return gap.sum(dim=-1) / known.sum(dim=-1)
    target = F.log_softmax(taught.float() / temperature, dim=-1)
    tuned = F.log_softmax(logits.float() / temperature, dim=-1)
    gap = target.masked_fill(~known, 0) - tuned.masked_fill(~known, 0)
    return temperature**2 * (target.exp() * gap).sum(dim=-1)


def distils(cfg: CfgNode, section: str) -> bool:
    """Whether the runs of a trainer that reads ``TRAINER.<section>`` distil."""
    return section == "MVLPT" and cfg.TRAINER.MVLPT.DISTILL.WEIGHT > 0


def check_distillation(cfg: CfgNode, section: str, *, planned: bool = False) -> None:
    """Refuses distillation by a trainer that cannot, or from nothing.

    Args:
        cfg: the run's.
        section: of ``TRAINER``, which the trainer reads.
        planned: the run is one of a plan, which knows what it starts from.

    Raises:
        ConfigError: says what to set.
    """
    weight: Any = cfg.TRAINER.MVLPT.DISTILL.WEIGHT
    if not weight > 0:
        return
    if section != "MVLPT":
        raise ConfigError(
            f"TRAINER.MVLPT.DISTILL.WEIGHT is {weight:g}, but {cfg.TRAINER.NAME} does not distil; set it to 0, or take"
            " a trainer with options under TRAINER.MVLPT, such as MVLPT-CoOp"
        )
    if cfg.RUN.MODE == "train" and not cfg.RUN.INIT_FROM and not planned:
        raise ConfigError(
            f"TRAINER.MVLPT.DISTILL.WEIGHT is {weight:g}, but the run starts from no prompt that could teach it; name"
            " one with --model-dir RUN or --init-from LIBRARY, or set the weight to 0"
        )
    if cfg.TRAINER.MVLPT.DISTILL.FRESH and cfg.RUN.START_SHARE:
        raise ConfigError(
            f"TRAINER.MVLPT.DISTILL.FRESH starts afresh, so that RUN.START_SHARE {cfg.RUN.START_SHARE:g} would average"
            " unrelated prompts; set RUN.START_SHARE 0"
        )
