"""Random views of images that are tensors already: resized crops and flips, all views of an image at once.

Shapes: V views, H x W pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

TRIES = 10
RATIOS = (3 / 4, 4 / 3)


def random_views(
    image: Tensor,
    count: int,
    generator: torch.Generator,
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    interpolation: str = "bicubic",
) -> Tensor:
    """Crops of random area and shape, brought to the size of the image, every other one mirrored on average.

    The boxes are distributed as torchvision's ``RandomResizedCrop`` draws them, except that they are not rounded to
    whole pixels; where ten tries give none that fits, the view is the whole image.

    Args:
        image: (3, H, W).
        count: number of views.
        generator: of the random numbers, on the CPU.
        scale: smallest and largest share of the area.
        interpolation: ``bicubic``, ``bilinear`` or ``nearest``.

    Returns:
        (V, 3, H, W), on the device of the image.
    """
    height, width = image.shape[1:]
    if count == 0:
        return image.new_zeros(0, *image.shape)
    drawn = torch.rand(count, TRIES, 2, generator=generator)
    place, mirrored = torch.rand(count, 2, generator=generator), torch.rand(count, generator=generator) < 0.5
    area = height * width * (scale[0] + (scale[1] - scale[0]) * drawn[..., 0])
    ratio = torch.exp(math.log(RATIOS[0]) + (math.log(RATIOS[1]) - math.log(RATIOS[0])) * drawn[..., 1])
    wide, tall = (area * ratio).sqrt(), (area / ratio).sqrt()
    fits = (wide <= width) & (tall <= height)
    first = fits.int().argmax(dim=1, keepdim=True)
    whole = ~fits.any(dim=1)
    wide = torch.where(whole, float(width), wide.gather(1, first)[:, 0])
    tall = torch.where(whole, float(height), tall.gather(1, first)[:, 0])
    left, top = place[:, 0] * (width - wide), place[:, 1] * (height - tall)
    boxes = torch.zeros(count, 2, 3)
    boxes[:, 0, 0] = torch.where(mirrored, -1.0, 1.0) * wide / width
    boxes[:, 0, 2] = (2 * left + wide) / width - 1
    boxes[:, 1, 1] = tall / height
    boxes[:, 1, 2] = (2 * top + tall) / height - 1
    grid = F.affine_grid(boxes.to(image), [count, *image.shape], align_corners=False)
    images = image.expand(count, *image.shape)
    return F.grid_sample(images, grid, mode=interpolation, padding_mode="border", align_corners=False)
