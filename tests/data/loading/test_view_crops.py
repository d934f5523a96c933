"""Random views: where their boxes lie is read off an image whose pixels are their own coordinates."""

import math

import torch
from torchvision.transforms import RandomResizedCrop

from mvlpt.data.loading import random_views

H, W = 24, 32


def stream(seed):
    return torch.Generator().manual_seed(seed)


def coordinates():
    """(3, H, W): the column, the row and 1 of each pixel."""
    rows, columns = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    return torch.stack([columns, rows, torch.ones(H, W)]).float()


def boxes(views):
    """Left, top, width and height in pixels, and whether mirrored; a view's step in the middle is its box's scale."""
    across = (views[:, 0, H // 2, W // 2 + 1] - views[:, 0, H // 2, W // 2]).double()
    down = (views[:, 1, H // 2 + 1, W // 2] - views[:, 1, H // 2, W // 2]).double()
    wide, tall = across.abs() * W, down * H
    left = views[:, 0, H // 2, W // 2] + 0.5 - across * (W / 2 + 0.5) - torch.where(across < 0, wide, 0.0)
    top = views[:, 1, H // 2, W // 2] + 0.5 - down * (H / 2 + 0.5)
    return left, top, wide, tall, across < 0


def test_boxes_are_those_of_random_resized_crop():
    views = random_views(coordinates(), 2000, stream(1), scale=(0.3, 0.6), interpolation="bilinear")
    left, top, wide, tall, mirrored = boxes(views)
    area, ratio = wide * tall / (H * W), wide / tall
    assert 0.3 - 1e-3 <= area.min() < 0.31
    assert 0.59 < area.max() <= 0.6 + 1e-3
    assert math.isclose(ratio.log().min(), math.log(3 / 4), abs_tol=0.01)
    assert math.isclose(ratio.log().max(), math.log(4 / 3), abs_tol=0.01)
    assert left.min() > -1e-3
    assert top.min() > -1e-3
    assert (left + wide).max() < W + 1e-3
    assert (top + tall).max() < H + 1e-3
    assert 0.45 < mirrored.double().mean() < 0.55
    crop = RandomResizedCrop((H, W), scale=(0.3, 0.6))
    torch.manual_seed(1)
    theirs = torch.tensor([crop.get_params(coordinates(), crop.scale, crop.ratio) for _ in range(2000)]).double()
    for ours, column, slack in ((top, 0, 0.3), (left, 1, 0.3), (tall, 2, 0.2), (wide, 3, 0.2)):
        assert abs(ours.mean() - theirs[:, column].mean()) < slack


def test_a_box_that_never_fits_is_the_whole_image():
    image = torch.rand(3, 8, 80, generator=stream(2))  # ten times as wide as tall, and crops as large as it
    views = random_views(image, 6, stream(3), scale=(1.0, 1.0), interpolation="bilinear")
    for view in views:
        assert any(torch.allclose(view, whole, atol=1e-5) for whole in (image, image.flip(2)))


def test_numbers_follow_from_the_generator():
    image = torch.rand(3, H, W, generator=stream(4))
    assert torch.equal(random_views(image, 5, stream(5)), random_views(image, 5, stream(5)))
    assert not torch.equal(random_views(image, 5, stream(5)), random_views(image, 5, stream(6)))
    assert random_views(image, 0, stream(5)).shape == (0, 3, H, W)
