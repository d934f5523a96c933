"""Feature networks by Dassl's names, for trainers that use the default ``build_model``: torchvision's, and an MLP head.

Other packages register more; an installed Dassl brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from mvlpt.errors import BackboneError, ConfigError
from mvlpt.registry import Registry

BACKBONE_REGISTRY = Registry("backbone")
HEAD_REGISTRY = Registry("head")
NETWORK_REGISTRY = Registry("network")

TORCHVISION = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg16", "alexnet")


class Backbone(nn.Module):
    """Base of networks from images (B, 3, H, W) to features (B, D); a subclass sets ``_out_features`` to D."""

    @property
    def out_features(self) -> int | None:
        """Width D of the features."""
        return self.__dict__.get("_out_features")


def torchvision_backbone(name: str, pretrained: bool = True) -> Backbone:
    """A network of torchvision without its last layer; its weights have the names that Dassl's copies have.

    Args:
        name: one of :data:`TORCHVISION`.
        pretrained: load the weights trained on ImageNet, which torchvision downloads.

    Raises:
        BackboneError: they cannot be downloaded.
    """
    from torchvision import models

    weights = models.get_model_weights(name)["IMAGENET1K_V1"] if pretrained else None
    try:
        network = models.get_model(name, weights=weights)
    except URLError as error:
        raise BackboneError(
            f"The weights of {name} cannot be downloaded ({error.reason}); place {weights.url} in "
            f"{torch.hub.get_dir()}/checkpoints, or set MODEL.BACKBONE.PRETRAINED False"
        ) from error
    if name.startswith("resnet"):
        width = network.fc.in_features
        network.fc = nn.Identity()
    else:
        width = network.classifier[-1].in_features
        network.classifier[-1] = nn.Identity()
    network.__class__ = type(type(network).__name__, (Backbone, type(network)), {})
    network._out_features = width
    return network


class MLP(nn.Module):
    """Linear layers, each with an optional batch norm, an activation and an optional dropout.

    Args:
        in_features: width of the input.
        hidden_layers: width of each layer.
        activation: ``relu`` or ``leaky_relu``.
        bn: normalise each layer over the batch.
        dropout: probability of dropping a value behind each layer.

    Raises:
        ConfigError: no layer, or an unknown activation.
    """

    def __init__(
        self,
        in_features: int = 2048,
        hidden_layers: int | Sequence[int] = (),
        activation: str = "relu",
        bn: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [hidden_layers] if isinstance(hidden_layers, int) else list(hidden_layers)
        if not widths or activation not in ("relu", "leaky_relu"):
            raise ConfigError(f"A head needs hidden layers and relu or leaky_relu, not {widths} and '{activation}'")
        layers: list[nn.Module] = []
        for width in widths:
            layers.append(nn.Linear(in_features, width))
            if bn:
                layers.append(nn.BatchNorm1d(width))
            layers.append(nn.ReLU(inplace=True) if activation == "relu" else nn.LeakyReLU(inplace=True))
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
            in_features = width
        self.mlp = nn.Sequential(*layers)
        self.out_features = in_features

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_features) to (B, out_features)."""
        return self.mlp(x)


BACKBONE_REGISTRY.register_family(
    lambda: TORCHVISION,
    lambda name: lambda pretrained=True, **_: torchvision_backbone(name, pretrained),
)


@HEAD_REGISTRY.register()
def mlp(**kwargs: Any) -> MLP:
    """An :class:`MLP` with these options."""
    return MLP(**kwargs)


def build_backbone(name: str, verbose: bool = True, **kwargs: Any) -> nn.Module:
    """The network of images that ``name`` names; its ``out_features`` says how wide its output is."""
    return _build(BACKBONE_REGISTRY, name, kwargs)


def build_head(name: str, verbose: bool = True, **kwargs: Any) -> nn.Module:
    """The head that ``name`` names."""
    return _build(HEAD_REGISTRY, name, kwargs)


def build_network(name: str, verbose: bool = True, **kwargs: Any) -> nn.Module:
    """The registered network that ``name`` names."""
    return _build(NETWORK_REGISTRY, name, kwargs)


def _build(registry: Registry, name: str, options: dict[str, Any]) -> nn.Module:
    build: Callable[..., nn.Module] = registry.get(name)
    return build(**options)


def __getattr__(name: str) -> Callable[..., nn.Module]:
    if name in TORCHVISION:
        return BACKBONE_REGISTRY.get(name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
