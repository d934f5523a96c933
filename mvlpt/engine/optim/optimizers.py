"""Optimisers by Dassl's names, from an ``OPTIM`` section."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from yacs.config import CfgNode

from mvlpt.engine.layers import unwrapped
from mvlpt.errors import ConfigError, suggest

AVAI_OPTIMS = ["adam", "amsgrad", "sgd", "rmsprop", "radam", "adamw"]


def build_optimizer(
    model: nn.Module | Iterable[Any],
    optim_cfg: CfgNode,
    param_groups: Sequence[dict[str, Any]] | None = None,
    *,
    fused: bool = False,
) -> torch.optim.Optimizer:
    """The optimiser that ``optim_cfg`` describes.

    Args:
        model: a module, of which the parameters that require a gradient are trained (its optimiser lists all of
            them, as Dassl's does), or an iterable of parameters or parameter groups.
        optim_cfg: the ``OPTIM`` section.
        param_groups: parameter groups to train instead of the whole model; ``STAGED_LR`` does not change them.
        fused: update in one pass where torch has such a form of the optimiser; it rounds differently.

    Raises:
        ConfigError: an unknown name, or nothing to train.
    """
    if optim_cfg.NAME not in AVAI_OPTIMS:
        raise ConfigError(f"OPTIM.NAME is '{optim_cfg.NAME}'{suggest(optim_cfg.NAME, AVAI_OPTIMS)}")
    if param_groups is not None and optim_cfg.STAGED_LR:
        warnings.warn("OPTIM.STAGED_LR does not apply: the parameter groups are given", stacklevel=2)
    if param_groups is not None:
        parameters: list[Any] = list(param_groups)
    elif optim_cfg.STAGED_LR:
        parameters = _staged(model, optim_cfg)
    elif isinstance(model, nn.Module):
        parameters = list(model.parameters())
        if not any(parameter.requires_grad for parameter in parameters):
            parameters = []
    else:
        parameters = list(model)
    if not parameters:
        raise ConfigError("There is nothing to train: the model has no parameter that requires a gradient")
    common = {"lr": optim_cfg.LR, "weight_decay": optim_cfg.WEIGHT_DECAY}
    betas = (optim_cfg.ADAM_BETA1, optim_cfg.ADAM_BETA2)
    adam = {"betas": betas, "eps": optim_cfg.get("ADAM_EPS", 1e-8), **common}
    one_pass = {"fused": True} if fused else {}
    match optim_cfg.NAME:
        case "adam":
            return torch.optim.Adam(parameters, **adam, **one_pass)
        case "amsgrad":
            return torch.optim.Adam(parameters, amsgrad=True, **adam, **one_pass)
        case "adamw":
            return torch.optim.AdamW(parameters, **adam, **one_pass)
        case "radam":
            return torch.optim.RAdam(parameters, **adam)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, momentum=optim_cfg.MOMENTUM, alpha=optim_cfg.RMSPROP_ALPHA, **common)
        case _:
            return torch.optim.SGD(
                parameters,
                momentum=optim_cfg.MOMENTUM,
                dampening=optim_cfg.SGD_DAMPNING,
                nesterov=optim_cfg.SGD_NESTEROV,
                **common,
                **one_pass,
            )


def _staged(model: nn.Module | Iterable[Any], optim_cfg: CfgNode) -> list[dict[str, Any]]:
    """Two groups: the children named in ``NEW_LAYERS`` at the full rate, all others at ``BASE_LR_MULT`` of it."""
    if not isinstance(model, nn.Module):
        raise ConfigError("OPTIM.STAGED_LR needs the model itself, to find its NEW_LAYERS by name")
    model = unwrapped(model)
    new_layers = [optim_cfg.NEW_LAYERS] if isinstance(optim_cfg.NEW_LAYERS, str) else list(optim_cfg.NEW_LAYERS)
    children = dict(model.named_children())
    for name in new_layers:
        if name not in children:
            raise ConfigError(
                f"OPTIM.NEW_LAYERS names '{name}', which the model does not have{suggest(name, children)}"
            )
    if not new_layers:
        warnings.warn("OPTIM.NEW_LAYERS is empty, so STAGED_LR trains every layer at BASE_LR_MULT", stacklevel=3)
    new, base = [], []
    for name, child in children.items():
        (new if name in new_layers else base).extend(child.parameters())
    return [{"params": base, "lr": optim_cfg.LR * optim_cfg.BASE_LR_MULT}, {"params": new}]
