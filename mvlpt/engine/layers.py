"""Helpers for layers and learning rates by Dassl's names."""

from __future__ import annotations

import torch
from torch import nn


def adjust_learning_rate(
    optimizer: torch.optim.Optimizer,
    base_lr: float,
    epoch: int,
    stepsize: int = 20,
    gamma: float = 0.1,
    linear_decay: bool = False,
    final_lr: float = 0,
    max_epoch: int = 100,
) -> None:
    """Sets the rate of every parameter group for ``epoch``: falling by ``gamma`` every ``stepsize``, or linearly."""
    done = epoch / max_epoch
    rate = base_lr + (final_lr - base_lr) * done if linear_decay else base_lr * gamma ** (epoch // stepsize)
    for group in optimizer.param_groups:
        group["lr"] = rate


def set_bn_to_eval(m: nn.Module) -> None:
    """Keeps the running statistics of ``m``, if it is a batch norm; for ``model.apply``."""
    if "BatchNorm" in type(m).__name__:
        m.eval()


def open_all_layers(model: nn.Module) -> None:
    """Trains all layers."""
    model.train()
    model.requires_grad_(True)


def unwrapped(model: nn.Module) -> nn.Module:
    """A model without ``nn.DataParallel`` around it."""
    return model.module if isinstance(model, nn.DataParallel) else model


def open_specified_layers(model: nn.Module, open_layers: str | list[str]) -> None:
    """Trains the named children of ``model`` and freezes the others.

    Raises:
        AttributeError: the model has no such child.
    """
    model = unwrapped(model)
    wanted = [open_layers] if isinstance(open_layers, str) else list(open_layers)
    for name in wanted:
        if not hasattr(model, name):
            raise AttributeError(f"{type(model).__name__} has no layer '{name}'")
    for name, child in model.named_children():
        child.train(name in wanted)
        child.requires_grad_(name in wanted)


def init_network_weights(model: nn.Module, init_type: str = "normal", gain: float = 0.02) -> None:
    """Draws the weights of convolutions and linear layers anew; their biases become 0, norms the identity.

    Args:
        model: changed in place.
        init_type: ``normal``, ``xavier``, ``kaiming`` or ``orthogonal``.
        gain: the scale; ``kaiming`` ignores it.

    Raises:
        NotImplementedError: another ``init_type``.
    """
    draw = {
        "normal": lambda weight: nn.init.normal_(weight, 0.0, gain),
        "xavier": lambda weight: nn.init.xavier_normal_(weight, gain=gain),
        "kaiming": lambda weight: nn.init.kaiming_normal_(weight, a=0, mode="fan_in"),
        "orthogonal": lambda weight: nn.init.orthogonal_(weight, gain=gain),
    }
    if init_type not in draw:
        raise NotImplementedError(f"init_type is '{init_type}'; known: {', '.join(draw)}")
    for module in model.modules():
        kind, weight, bias = type(module).__name__, getattr(module, "weight", None), getattr(module, "bias", None)
        if weight is None:
            continue
        if "Conv" in kind or "Linear" in kind:
            draw[init_type](weight.data)
        elif "BatchNorm" in kind or "InstanceNorm" in kind:
            nn.init.constant_(weight.data, 1.0)
        else:
            continue
        if isinstance(bias, torch.Tensor):
            nn.init.constant_(bias.data, 0.0)
