"""What is done to an image once and what for each view: equal to torchvision's pipelines, shared between workers."""

import io
import pickle
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from mvlpt.data import DatasetWrapper, Datum, build_data_loader, build_transform
from mvlpt.data.loading import AVAI_CHOICES, PixelPlan
from mvlpt.data.loading.shared_pixels import SharedPixels


def photo(size=(70, 50), seed=0):
    """Smooth colours with some noise."""
    rng = np.random.default_rng(seed)
    base = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return Image.fromarray((np.asarray(base) * 0.9 + rng.integers(0, 25, (size[1], size[0], 3))).astype(np.uint8))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    "names", [(), *((name,) for name in AVAI_CHOICES), ("random_resized_crop", "random_flip", "normalize")]
)
def test_a_plan_gives_what_the_pipeline_gives(make_cfg, names, interpolation):
    transform = build_transform(
        make_cfg(INPUT__TRANSFORMS=names, INPUT__INTERPOLATION=interpolation, INPUT__SIZE=(32, 28))
    )
    plan, image = PixelPlan(transform.transforms), photo((50, 40))
    pixels = plan.prepare(image)
    before = pixels.copy()
    for seed in range(6):
        torch.manual_seed(seed)
        view = plan.view(pixels)
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        expected = transform(image)
        assert torch.equal(state, torch.get_rng_state())
        if "random_resized_crop" in names and interpolation != "nearest":
            scale = 0.225 if "normalize" in names else 1.0
            assert (view - expected).abs().max() <= 2.01 / 255 / scale
        else:
            assert torch.allclose(view, expected, atol=1e-5)
        assert view.is_contiguous()
        assert np.array_equal(pixels, before)
    test = build_transform(make_cfg(INPUT__TRANSFORMS=names), is_train=False)
    plan = PixelPlan(test.transforms)
    assert torch.allclose(plan.view(plan.prepare(image)), test(image), atol=1e-6)


def test_large_images_are_kept_reduced_for_random_crops_only(make_cfg):
    crop = PixelPlan(build_transform(make_cfg(INPUT__TRANSFORMS=("random_resized_crop",))).transforms)
    assert crop.prepare(photo((180, 120))).shape == (114, 171, 3)  # 2 * 16 / sqrt(0.08) pixels for views of 16
    assert crop.prepare(photo((90, 60))).shape == (60, 90, 3)
    flip = PixelPlan(build_transform(make_cfg(INPUT__TRANSFORMS=("random_flip",))).transforms)
    assert flip.prepare(photo((90, 60))).shape == (16, 16, 3)
    assert crop.name != flip.name


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("slope", "most"), [(1, 0.01), (0.8, 0.01), (0, 0.02)], ids=["natural", "rough", "white noise"]
)
def test_reducing_large_photos_keeps_the_gradient_energy_of_views(make_cfg, interpolation, slope, most):
    """Against torchvision's own crops of the full image; 1/f noise has the spectrum of natural images."""
    rng, side = np.random.default_rng(0), 600
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    waves = (rng.normal(size=(3, *frequency.shape, 2)) @ [1, 1j]) / frequency**slope
    noise = np.fft.irfft2(waves, (side, side))
    levels = np.clip(noise / noise.std() * 40 + 128, 0, 255).astype(np.uint8)
    image = Image.fromarray(levels.transpose(1, 2, 0))
    options = {"INPUT__TRANSFORMS": ("random_resized_crop",), "INPUT__INTERPOLATION": interpolation}
    transform = build_transform(make_cfg(INPUT__SIZE=(40, 40), **options))
    plan = PixelPlan(transform.transforms)
    pixels = plan.prepare(image)
    assert pixels.shape[0] < side / 2

    def energy(make, source):
        total = 0.0
        for seed in range(60):
            torch.manual_seed(seed)
            view = make(source)
            total += float(view.diff(dim=1).square().mean() + view.diff(dim=2).square().mean())
        return total

    assert energy(plan.view, pixels) == pytest.approx(energy(transform, image), rel=most)


@pytest.fixture
def photos(tmp_path):
    items = []
    for number in range(10):
        photo(seed=number).save(tmp_path / f"{number}.jpg")
        items.append(Datum(str(tmp_path / f"{number}.jpg"), number % 2))
    return items


def epochs(loader, count=2):
    return [
        {path: image for batch in loader for path, image in zip(batch["impath"], batch["img"], strict=True)}
        for _ in range(count)
    ]


def test_workers_find_each_others_images_and_change_nothing(make_cfg, photos):
    def make(workers, cache):
        cfg = make_cfg(DATALOADER__NUM_WORKERS=workers, DATALOADER__CACHE_MB=cache)
        return build_data_loader(cfg, data_source=photos, batch_size=2, tfm=build_transform(cfg))

    expected, shared = epochs(make(0, 0)), make(2, 1)
    for found, wanted in zip(epochs(shared), expected, strict=True):
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[path], wanted[path]) for path in found)
    kept = shared.dataset._shared
    assert kept.hits == len(photos)  # the whole second epoch
    assert 0 < kept.num_bytes <= 2**20
    shared.close()


def test_what_does_not_fit_is_read_anew(make_cfg, photos):
    cfg = make_cfg(DATALOADER__NUM_WORKERS=1, DATALOADER__CACHE_MB=0.01, INPUT__SIZE=(32, 32))
    wrapper = DatasetWrapper(cfg, photos, build_transform(cfg), is_train=True)
    for position in range(10):
        wrapper[position]
    assert wrapper._shared.num_bytes <= 0.01 * 2**20
    assert wrapper._shared.num_bytes // (70 * 50 * 3) == 0  # not even one image
    assert wrapper[9]["img"].shape == (3, 32, 32)


def test_a_changed_file_is_read_anew(make_cfg, photos, tmp_path):
    cfg = make_cfg(DATALOADER__NUM_WORKERS=1, INPUT__TRANSFORMS=("normalize",))
    wrapper = DatasetWrapper(cfg, photos, build_transform(cfg), is_train=True)
    first = wrapper[0]["img"].clone()
    photo((33, 44), seed=99).save(tmp_path / "0.jpg")
    assert not torch.equal(wrapper[0]["img"], first)


def test_a_wrapper_sent_to_another_process_keeps_images_of_its_own(make_cfg, photos):
    cfg = make_cfg(DATALOADER__NUM_WORKERS=2)
    wrapper = DatasetWrapper(cfg, photos, build_transform(cfg), is_train=True)
    page = io.BytesIO()
    pickle.dump(wrapper, page)
    assert len(page.getvalue()) < 100_000
    assert pickle.loads(page.getvalue())[3]["img"].shape == (3, 16, 16)


def test_shared_memory_survives_a_lost_lock(monkeypatch):
    monkeypatch.setattr("mvlpt.data.loading.shared_memory.WAIT", 0.01)
    kept, pixels = SharedPixels(1000, 2), np.ones((4, 5, 3), np.uint8)
    kept.put(0, (1, 2), pixels)
    assert np.array_equal(kept.get(0, (1, 2)), pixels)
    assert kept.get(0, (1, 3)) is None
    assert kept.get(1, (1, 2)) is None
    kept._lock._lock.acquire()
    kept.put(1, (1, 2), pixels)
    assert kept.get(0, (1, 2)) is None


def test_threads_change_nothing_and_leave_torchs_number_of_threads(make_cfg, photos):
    cfg = make_cfg(DATALOADER__CACHE_MB=1)
    loader = build_data_loader(cfg, data_source=photos, batch_size=4, tfm=build_transform(cfg))
    expected = epochs(loader)
    torch.set_num_threads(3)
    loader.set_epoch(0)
    for found, wanted in zip(epochs(loader), expected, strict=True):
        assert all(torch.equal(found[path], wanted[path]) for path in wanted)
    assert torch.get_num_threads() == 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("views")]


def test_a_subclass_that_gives_other_items_is_asked_for_them(make_cfg, photos):
    class Inverted(DatasetWrapper):
        def __getitem__(self, idx):
            item = super().__getitem__(idx)
            return {**item, "img": -item["img"]}

    cfg = make_cfg(INPUT__TRANSFORMS=("normalize",))
    tfm = build_transform(cfg)
    (plain,) = build_data_loader(cfg, data_source=photos, batch_size=10, tfm=tfm)
    (other,) = build_data_loader(cfg, data_source=photos, batch_size=10, tfm=tfm, dataset_wrapper=Inverted)
    assert torch.equal(plain["img"], -other["img"])


def test_a_batch_that_is_held_is_never_written_again(make_cfg, photos):
    cfg = make_cfg(DATALOADER__CACHE_MB=1)
    loader = build_data_loader(cfg, data_source=photos * 4, batch_size=4, tfm=build_transform(cfg))
    kept, copies, places = [], [], set()
    for number, batch in enumerate(loader):
        places.add(batch["img"].data_ptr())
        if number % 3 == 0:
            kept.append(batch["img"][1:3, 0].numpy())  # a view of a view
            copies.append(kept[-1].copy())
    assert all(np.array_equal(one, other) for one, other in zip(kept, copies, strict=True))
    assert len(kept) <= len(places) < 10  # those let go are used again
    held = list(loader)
    loader.set_epoch(1)
    assert all(torch.equal(one["img"], other["img"]) for one, other in zip(held, loader, strict=True))
