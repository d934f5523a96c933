"""Transforms by Dassl's names: order, meaning, and randomness from torch's generator alone."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms.functional import InterpolationMode

from mvlpt.data.loading import AVAI_CHOICES, INTERPOLATION_MODES, Cutout, build_transform, is_random
from mvlpt.data.loading.transforms import LONGEST_RATIO, Random2DTranslation, ResizeShorterSide
from mvlpt.errors import ConfigError, DataError

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", AVAI_CHOICES)
def test_every_choice_gives_an_image_of_the_size_drawn_from_torch_alone(make_cfg, name):
    transform = build_transform(make_cfg(INPUT__TRANSFORMS=(name, "normalize")), is_train=True)
    states = random.getstate(), np.random.get_state()[1].tolist()
    torch.manual_seed(0)
    first = [transform(IMAGE) for _ in range(4)]
    torch.manual_seed(0)
    again = [transform(IMAGE) for _ in range(4)]
    assert all(image.shape == (3, 16, 16) for image in first)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert states == (random.getstate(), np.random.get_state()[1].tolist())
    fixed = all(torch.equal(image, first[0]) for image in first)
    assert fixed == (not is_random([name]))


def test_test_transform_resizes_the_short_side_and_crops_the_centre(make_cfg):
    cfg = make_cfg(INPUT__INTERPOLATION="bicubic", INPUT__PIXEL_MEAN=[0.5, 0.4, 0.3], INPUT__PIXEL_STD=[0.2, 0.3, 0.4])
    got = build_transform(cfg, is_train=False)(IMAGE)
    small = IMAGE.resize((24, 16), Image.Resampling.BICUBIC).crop((4, 0, 20, 16))
    expected = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
    expected = (expected - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor([0.2, 0.3, 0.4])[:, None, None]
    assert torch.allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 60_000), (60_001, 2), (7, 5000)])
def test_extreme_aspect_ratios_stay_small(make_cfg, size, monkeypatch):
    """The centre of a very long image is cropped before it is resized, not after."""
    largest = []
    real = Image.Image.resize

    def resize(image, *args, **kwargs):
        result = real(image, *args, **kwargs)
        largest.append(result.width * result.height)
        return result

    monkeypatch.setattr(Image.Image, "resize", resize)
    ramp = np.linspace(0, 255, max(size)).astype(np.uint8)
    ramp = ramp[:, None] if size[1] > size[0] else ramp[None]
    image = Image.fromarray(np.broadcast_to(ramp[:, :, None], (size[1], size[0], 3)).copy())
    view = build_transform(make_cfg(INPUT__INTERPOLATION="bicubic", INPUT__TRANSFORMS=()), is_train=False)(image)
    assert view.shape == (3, 16, 16)
    assert max(largest) <= 16 * 16 * (LONGEST_RATIO + 2)
    span = min(size) / max(size)  # the view covers a square at the centre of the ramp
    assert view.mean().item() == pytest.approx(0.5, abs=0.01)
    assert (view.max() - view.min()).item() <= span + 0.02


@pytest.mark.parametrize("size", [(120, 9), (9, 120)])
def test_long_images_look_as_if_they_were_resized_whole(make_cfg, size):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    plain = T.Compose([T.Resize(16, InterpolationMode.BICUBIC), T.CenterCrop(16), T.ToTensor()])
    ours = ResizeShorterSide(16, InterpolationMode.BICUBIC)
    assert repr(ours) == repr(plain.transforms[0])
    whole = T.Compose([ours, *plain.transforms[1:]])(image)
    assert torch.equal(whole, plain(image))  # up to a ratio of 16 nothing changes


def test_translation_draws_offsets_as_dassl_does():
    """round(uniform(0, 2)): of the offsets 0, 1 and 2 the borders have half the weight of the middle."""
    columns = np.broadcast_to((np.arange(18, dtype=np.uint8) * 10)[None, :, None], (18, 18, 3))
    image, counts = Image.fromarray(columns.copy()), [0, 0, 0]
    step = Random2DTranslation(16, 16, p=1.0)
    torch.manual_seed(0)
    for _ in range(2000):
        counts[step(image).getpixel((0, 0))[0] // 10] += 1
    assert np.allclose(np.array(counts) / 2000, [0.25, 0.5, 0.25], atol=0.04)


def test_training_without_a_random_crop_resizes_to_the_size(make_cfg):
    transform = build_transform(make_cfg(INPUT__TRANSFORMS=(), INPUT__SIZE=(10, 20)), is_train=True)
    expected = np.array(IMAGE.resize((20, 10), Image.Resampling.BILINEAR)).transpose(2, 0, 1) / 255
    assert np.allclose(transform(IMAGE).numpy(), expected, atol=1e-6)


def test_steps_come_in_dassls_order(make_cfg):
    chosen = ("normalize", "random_flip", "cutout", "random_resized_crop", "colorjitter", "gaussian_noise")
    steps = build_transform(make_cfg(INPUT__TRANSFORMS=chosen), is_train=True).transforms
    names = [type(step).__name__ for step in steps]
    assert names == [
        *("RandomResizedCrop", "RandomHorizontalFlip", "ColorJitter", "ToTensor", "Cutout", "Normalize"),
        "GaussianNoise",
    ]
    assert steps[0].scale == (0.08, 1.0)


def test_choices_replace_the_configs(make_cfg):
    steps = build_transform(make_cfg(), is_train=True, choices=["center_crop"]).transforms
    assert [type(step) for step in steps] == [T.Resize, T.ToTensor]
    assert build_transform(make_cfg(INPUT__NO_TRANSFORM=True)) is None


def test_wrong_names_suggest_the_nearest(make_cfg):
    with pytest.raises(ConfigError, match="did you mean 'random_flip'"):
        build_transform(make_cfg(INPUT__TRANSFORMS=("random_flipp",)))
    with pytest.raises(ConfigError, match="did you mean 'bicubic'"):
        build_transform(make_cfg(INPUT__INTERPOLATION="bicubik"))
    assert set(INTERPOLATION_MODES) == {"bilinear", "bicubic", "nearest"}


def test_cutout_clears_squares_only():
    torch.manual_seed(1)
    image = Cutout(1, 4)(torch.ones(3, 16, 16))
    gone = int((image[0] == 0).sum())
    assert 4 <= gone <= 16
    assert torch.equal(image[0], image[2])


def test_text_of_a_pipeline_tells_it_from_every_other(make_cfg):
    texts = {
        repr(build_transform(make_cfg(INPUT__TRANSFORMS=(name,)))) for name in AVAI_CHOICES if name != "center_crop"
    }
    assert len(texts) == len(AVAI_CHOICES) - 2  # the two variants of RandAugment are one
    assert not any(" at 0x" in text for text in texts)
    assert repr(build_transform(make_cfg(INPUT__CUTOUT_LEN=3, INPUT__TRANSFORMS=("cutout",)))) not in texts
    assert build_transform(make_cfg(), is_train=False).deterministic
    assert not build_transform(make_cfg()).deterministic


@pytest.mark.parametrize("size", [(300, 260), (224, 224), (217, 500), (216, 216)])
def test_random_crops_are_torchvisions(make_cfg, size):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    ours = build_transform(make_cfg(INPUT__CROP_PADDING=4, INPUT__SIZE=(224, 224)), choices=["random_crop"])
    theirs = T.Compose([T.RandomCrop(224, padding=4), T.ToTensor()])
    for seed in range(5):
        torch.manual_seed(seed)
        expected = theirs(image)
        torch.manual_seed(seed)
        assert torch.equal(ours(image), expected)
    assert repr(ours.transforms[0]) == repr(T.RandomCrop([224, 224], padding=4))


def test_a_random_crop_larger_than_its_image_is_refused(make_cfg):
    with pytest.raises(DataError, match="an image of 1 x 9000000 pixels is smaller than a random crop of 224 x 224"):
        build_transform(make_cfg(INPUT__SIZE=(224, 224)), choices=["random_crop"])(Image.new("RGB", (1, 9_000_000)))
