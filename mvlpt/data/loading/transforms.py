"""Image transforms by Dassl's names. They draw from torch's global generator only, which the loader seeds per image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms as T
from torchvision.transforms import functional as F
from torchvision.transforms.functional import InterpolationMode

from mvlpt.errors import ConfigError, DataError, suggest

logger = logging.getLogger(__name__)

AVAI_CHOICES = [
    "random_flip",
    "random_resized_crop",
    "normalize",
    "instance_norm",
    "random_crop",
    "random_translation",
    "center_crop",
    "cutout",
    "imagenet_policy",
    "cifar10_policy",
    "svhn_policy",
    "randaugment",
    "randaugment_fixmatch",
    "randaugment2",
    "gaussian_noise",
    "colorjitter",
    "randomgrayscale",
    "gaussian_blur",
]
LONGEST_RATIO = 16
DETERMINISTIC_CHOICES = frozenset({"normalize", "instance_norm", "center_crop"})

INTERPOLATION_MODES = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
    "nearest": InterpolationMode.NEAREST,
}


def is_random(choices: Iterable[str]) -> bool:
    """Whether training transforms of these names differ from draw to draw."""
    return not set(choices) <= DETERMINISTIC_CHOICES


class Pipeline(T.Compose):
    """The steps that :func:`build_transform` chose. Its ``repr`` names every step with its options.

    Attributes:
        deterministic: no step is random.
    """

    def __init__(self, steps: list[Callable], *, deterministic: bool) -> None:
        super().__init__(steps)
        self.deterministic = deterministic


class TaskPipelines:
    """One pipeline for each of several tasks, not all equal.

    Args:
        by_task: by the index of the task, which is the domain of its items.
    """

    def __init__(self, by_task: Sequence[Pipeline]) -> None:
        self.by_task = tuple(by_task)

    def __repr__(self) -> str:
        return f"TaskPipelines({', '.join(map(repr, self.by_task))})"


def transform_of(transform: Any, domain: int) -> Any:
    """The transform of the items of a domain: the task's own pipeline, or the common one."""
    return transform.by_task[domain] if isinstance(transform, TaskPipelines) else transform


class Random2DTranslation:
    """With probability ``p`` resizes to 9/8 of the size and crops a random window; else resizes to the size.

    The offsets are rounded uniform numbers, as Dassl draws them: the first and last have half the weight of the others.
    """

    def __init__(
        self, height: int, width: int, p: float = 0.5, interpolation: InterpolationMode = InterpolationMode.BILINEAR
    ) -> None:
        self.height, self.width, self.p, self.interpolation = height, width, p, interpolation

    def __repr__(self) -> str:
        return f"Random2DTranslation({self.height}, {self.width}, p={self.p}, interpolation={self.interpolation.value})"

    def __call__(self, img: Image.Image) -> Image.Image:
        if torch.rand(()) > self.p:
            return F.resize(img, [self.height, self.width], self.interpolation)
        tall, wide = round(self.height * 1.125), round(self.width * 1.125)
        resized = F.resize(img, [tall, wide], self.interpolation)
        top, left = (round(float(torch.rand(())) * slack) for slack in (tall - self.height, wide - self.width))
        return F.crop(resized, top, left, self.height, self.width)


class ResizeShorterSide(T.Resize):
    """Resizes the shorter side, as ``T.Resize(size)``, before a centre crop; a very long image is cropped first.

    An image of 1 x 100,000 pixels would become one of 224 x 22,400,000. Of an image longer than ``LONGEST_RATIO`` times
    its shorter side only the centre of that length is resized, which contains all that the crop keeps.
    """

    def __repr__(self) -> str:
        return f"Resize{super().__repr__()[len(type(self).__name__) :]}"  # part of the names of kept features

    def forward(self, img: Image.Image) -> Image.Image:
        width, height = img.size
        longest = LONGEST_RATIO * min(width, height)
        if max(width, height) > longest + 1:
            longest += (max(width, height) - longest) % 2  # an even number is cut off, so that the centre stays
            box = [min(length, longest) for length in (width, height)]
            left, top = (width - box[0]) // 2, (height - box[1]) // 2
            img = img.crop((left, top, left + box[0], top + box[1]))
        return super().forward(img)


class RandomCrop(T.RandomCrop):
    """As torchvision's, with the same draws; pads the crop, not the image, which may be very long."""

    def forward(self, img: Image.Image) -> Image.Image:
        width, height = img.size
        tall, wide = self.size
        slack = [side + 2 * self.padding - kept for side, kept in ((height, tall), (width, wide))]
        if min(slack) < 0:
            raise DataError(
                f"an image of {width} x {height} pixels is smaller than a random crop of {wide} x {tall}; use"
                " random_resized_crop, or a larger INPUT.CROP_PADDING"
            )
        top = left = 0
        if max(slack) > 0:
            top, left = (int(torch.randint(0, room + 1, size=(1,))) for room in slack)
        return F.crop(img, top - self.padding, left - self.padding, tall, wide)


class InstanceNormalization:
    """Brings each channel of an image (C, H, W) to mean 0 and standard deviation 1."""

    def __init__(self, eps: float = 1e-8) -> None:
        self.eps = eps

    def __repr__(self) -> str:
        return f"InstanceNormalization(eps={self.eps})"

    def __call__(self, img: Tensor) -> Tensor:
        mean, std = img.mean((1, 2), keepdim=True), img.std((1, 2), keepdim=True)
        return (img - mean) / (std + self.eps)


class Cutout:
    """Sets ``n_holes`` squares of side ``length`` with random centres to 0 in an image (C, H, W)."""

    def __init__(self, n_holes: int = 1, length: int = 16) -> None:
        self.n_holes, self.length = n_holes, length

    def __repr__(self) -> str:
        return f"Cutout(n_holes={self.n_holes}, length={self.length})"

    def __call__(self, img: Tensor) -> Tensor:
        height, width = img.shape[1:]
        kept, half = torch.ones(height, width, dtype=img.dtype), self.length // 2
        for _ in range(self.n_holes):
            y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
            kept[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = 0
        return img * kept


class GaussianNoise:
    """With probability ``p`` adds normal noise to an image (C, H, W)."""

    def __init__(self, mean: float = 0.0, std: float = 0.15, p: float = 0.5) -> None:
        self.mean, self.std, self.p = mean, std, p

    def __repr__(self) -> str:
        return f"GaussianNoise(mean={self.mean}, std={self.std}, p={self.p})"

    def __call__(self, img: Tensor) -> Tensor:
        if torch.rand(()) > self.p:
            return img
        return img + torch.randn(img.shape) * self.std + self.mean


def build_transform(
    cfg: Any, is_train: bool = True, choices: Iterable[str] | None = None, *, center_crop: bool = True
) -> Pipeline | None:
    """Builds the transform that a config describes.

    Training: resize to the size (unless a random crop is chosen), then the chosen ones in Dassl's order. Testing:
    resize the shorter side to the larger of height and width and crop the centre, or resize both sides; normalise.

    Args:
        cfg: the run's config (section ``INPUT``).
        is_train: for training or for testing.
        choices: names that replace ``INPUT.TRANSFORMS``.
        center_crop: the task's benchmark tests on the centre, not on the whole image; counts where
            ``INPUT.TEST_CROP`` is ``task``.

    Returns:
        A callable from an RGB image to a tensor (3, H, W); ``None`` with ``INPUT.NO_TRANSFORM``.

    Raises:
        ConfigError: an unknown transform or interpolation.
    """
    node = cfg.INPUT
    if node.NO_TRANSFORM:
        return None
    chosen = list(node.TRANSFORMS if choices is None else choices)
    for name in chosen:
        if name not in AVAI_CHOICES:
            raise ConfigError(f"No transform is named '{name}'{suggest(name, AVAI_CHOICES)}")
    if node.INTERPOLATION not in INTERPOLATION_MODES:
        known = suggest(node.INTERPOLATION, INTERPOLATION_MODES)
        raise ConfigError(f"INPUT.INTERPOLATION is '{node.INTERPOLATION}'{known}")
    cropped = {"task": center_crop, "center": True, "squash": False}[node.get("TEST_CROP", "center")]
    steps = _train_steps(node, set(chosen)) if is_train else _test_steps(node, set(chosen), cropped)
    logger.debug("%s transform: %s", "training" if is_train else "test", steps)
    return Pipeline(steps, deterministic=not is_train or not is_random(chosen))


def _train_steps(node: Any, chosen: set[str]) -> list[Callable]:
    size, mode = list(node.SIZE), INTERPOLATION_MODES[node.INTERPOLATION]
    on_image = [
        ("random_translation", lambda: Random2DTranslation(*size)),
        ("random_crop", lambda: RandomCrop(size, padding=node.CROP_PADDING)),
        ("random_resized_crop", lambda: T.RandomResizedCrop(size, tuple(node.RRCROP_SCALE), interpolation=mode)),
        ("random_flip", lambda: T.RandomHorizontalFlip()),
        ("imagenet_policy", lambda: T.AutoAugment(T.AutoAugmentPolicy.IMAGENET)),
        ("cifar10_policy", lambda: T.AutoAugment(T.AutoAugmentPolicy.CIFAR10)),
        ("svhn_policy", lambda: T.AutoAugment(T.AutoAugmentPolicy.SVHN)),
        ("randaugment", lambda: T.RandAugment(node.RANDAUGMENT_N, node.RANDAUGMENT_M)),
        ("randaugment_fixmatch", lambda: _trivial_augments(node.RANDAUGMENT_N)),
        ("randaugment2", lambda: _trivial_augments(node.RANDAUGMENT_N)),
        (
            "colorjitter",
            lambda: T.ColorJitter(node.COLORJITTER_B, node.COLORJITTER_C, node.COLORJITTER_S, node.COLORJITTER_H),
        ),
        ("randomgrayscale", lambda: T.RandomGrayscale(node.RGS_P)),
        ("gaussian_blur", lambda: T.RandomApply([T.GaussianBlur(node.GB_K)], p=node.GB_P)),
    ]
    on_tensor = [
        ("cutout", lambda: Cutout(node.CUTOUT_N, node.CUTOUT_LEN)),
        ("normalize", lambda: T.Normalize(node.PIXEL_MEAN, node.PIXEL_STD)),
        ("gaussian_noise", lambda: GaussianNoise(node.GN_MEAN, node.GN_STD)),
        ("instance_norm", InstanceNormalization),
    ]
    resize = [] if chosen & {"random_crop", "random_resized_crop"} else [T.Resize(size, interpolation=mode)]
    return [
        *resize,
        *(make() for name, make in on_image if name in chosen),
        T.ToTensor(),
        *(make() for name, make in on_tensor if name in chosen),
    ]


def build_test_transform(cfg: Any, center_crops: Sequence[bool]) -> Pipeline | TaskPipelines | None:
    """The transform for evaluating tasks.

    Args:
        cfg: the run's config.
        center_crops: of each task, see :func:`build_transform`.

    Returns:
        One pipeline where it is the same for all tasks.

    Raises:
        ConfigError: an unknown transform or interpolation.
    """
    pipelines = [build_transform(cfg, is_train=False, center_crop=crop) for crop in center_crops]
    return pipelines[0] if len(set(map(repr, pipelines))) == 1 else TaskPipelines(pipelines)


def _test_steps(node: Any, chosen: set[str], cropped: bool) -> list[Callable]:
    size, mode = list(node.SIZE), INTERPOLATION_MODES[node.INTERPOLATION]
    fit = [ResizeShorterSide(max(size), mode), T.CenterCrop(size)] if cropped else [T.Resize(size, mode)]
    steps = [*fit, T.ToTensor()]
    if "normalize" in chosen:
        steps.append(T.Normalize(node.PIXEL_MEAN, node.PIXEL_STD))
    if "instance_norm" in chosen:
        steps.append(InstanceNormalization())
    return steps


def _trivial_augments(number: int) -> T.Compose:
    """``number`` random operations of random strength, as these two variants of RandAugment apply them."""
    return T.Compose([T.TrivialAugmentWide() for _ in range(number)])
