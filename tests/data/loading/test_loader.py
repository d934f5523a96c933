"""Loaders: the same batches whatever the workers, epochs that can be entered in the middle, bad images, no leaks."""

import gc
import multiprocessing
import os
import pickle
import random
import signal

import numpy as np
import pytest
import torch

from mvlpt.data import DatasetWrapper, Datum, build_data_loader, build_transform
from mvlpt.data.loading import collate
from mvlpt.data.loading.cache import image_cache
from mvlpt.errors import ConfigError, DataError


def _loader(cfg, items, is_train=True, **options):
    options.setdefault("batch_size", 4)
    sampler = "RandomSampler" if is_train else "SequentialSampler"
    tfm = options.pop("tfm", None) or build_transform(cfg, is_train)
    return build_data_loader(cfg, sampler, items, tfm=tfm, is_train=is_train, **options)


def _epochs(loader, count=2):
    return [list(loader) for _ in range(count)]


def _equal(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for key, value in left.items():
            assert torch.equal(value, right[key]) if isinstance(value, torch.Tensor) else value == right[key]


def test_batch_is_a_dictionary_with_dassls_fields_and_the_task(make_cfg, make_items):
    (first, *_) = _loader(make_cfg(), make_items())
    assert set(first) == {"img", "label", "domain", "task", "impath", "index"}
    assert first["img"].shape == (4, 3, 16, 16)
    assert first["img"].dtype == torch.float32
    assert first["label"].dtype == first["task"].dtype == first["index"].dtype == torch.int64
    assert len(first["impath"]) == 4


def test_workers_change_nothing(make_cfg, make_items):
    items = make_items(per_class=5)
    alone = _epochs(_loader(make_cfg(), items))
    loader = _loader(make_cfg(DATALOADER__NUM_WORKERS=2), items)
    for one, other in zip(alone, _epochs(loader), strict=True):
        _equal(one, other)
    loader.close()
    assert not torch.equal(alone[0][0]["index"], alone[1][0]["index"])


def test_worker_processes_end(make_cfg, make_items):
    items = make_items()
    before = set(multiprocessing.active_children())
    train = _loader(make_cfg(DATALOADER__NUM_WORKERS=2), items)
    test = _loader(make_cfg(DATALOADER__NUM_WORKERS=2), items, is_train=False)
    list(train)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    list(train)
    assert set(multiprocessing.active_children()) - before == workers  # kept from epoch to epoch
    list(test)
    next(iter(test))  # left in the middle
    gc.collect()
    assert set(multiprocessing.active_children()) - before == workers
    next(iter(train))
    train.close()
    gc.collect()
    assert set(multiprocessing.active_children()) <= before
    assert len(list(train)) == 3  # opens again
    del train
    gc.collect()
    assert set(multiprocessing.active_children()) <= before


def test_ctrl_c_leaves_the_workers_to_the_parent(make_cfg, make_items):
    before = set(multiprocessing.active_children())
    loader = _loader(make_cfg(DATALOADER__NUM_WORKERS=1), make_items(per_class=8))
    batches = iter(loader)
    next(batches)
    for worker in set(multiprocessing.active_children()) - before:
        os.kill(worker.pid, signal.SIGINT)
    assert len(list(batches)) == 5
    loader.close()


def test_loader_can_be_sent_to_spawned_workers(make_cfg, make_items):
    loader = _loader(make_cfg(), make_items())
    items, batch_sampler = pickle.loads(pickle.dumps((loader.items, loader.batch_sampler)))
    _equal([collate(items.__getitems__(places)).content for places in batch_sampler], list(loader))


@pytest.mark.parametrize("workers", [0, 2])
def test_epoch_can_be_entered_in_the_middle(make_cfg, make_items, workers):
    items = make_items(per_class=6)
    whole = _epochs(_loader(make_cfg(), items), 3)
    loader = _loader(make_cfg(DATALOADER__NUM_WORKERS=workers), items)
    loader.set_epoch(1, start_batch=3)
    assert len(loader) == len(whole[1]) == 4
    _equal(list(loader), whole[1][3:])
    _equal(list(loader), whole[2])  # and on from there
    loader.set_epoch(0, start_batch=4)
    assert list(loader) == []
    loader.close()


def test_passed_batches_are_not_loaded(make_cfg, make_items):
    items = make_items()
    read = []

    class Counting(DatasetWrapper):
        def __getitem__(self, idx):
            read.append(idx)
            return super().__getitem__(idx)

    loader = _loader(make_cfg(), items, dataset_wrapper=Counting)
    loader.set_epoch(0, start_batch=2)
    list(loader)
    assert len(read) == 4


def test_loading_leaves_the_global_generators_alone_and_does_not_need_them(make_cfg, make_items):
    items = make_items()
    for workers in (0, 1):
        cfg = make_cfg(DATALOADER__NUM_WORKERS=workers)
        states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
        first = list(_loader(cfg, items))
        assert torch.equal(torch.get_rng_state(), states[0])
        assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
        torch.manual_seed(99)
        _equal(first, list(_loader(cfg, items)))


def test_transforms_that_draw_from_python_and_numpy_repeat_too(make_cfg, make_items):
    items = make_items()

    def noisy(image):
        return torch.tensor([random.random(), np.random.rand(), float(torch.rand(()))])

    first = _epochs(_loader(make_cfg(), items, tfm=noisy))
    for one, other in zip(first, _epochs(_loader(make_cfg(), items, tfm=noisy)), strict=True):
        _equal(one, other)
    drawn = torch.cat([batch["img"] for epoch in first for batch in epoch])
    assert len(drawn.unique(dim=0)) == len(drawn)


def test_augmentation_of_an_image_depends_on_seed_and_view_not_on_its_company(make_cfg, make_items):
    items = make_items(per_class=4)

    def views(cfg, chosen, epoch=0):
        loader = _loader(cfg, chosen, batch_size=1)
        loader.set_epoch(epoch)
        return {batch["impath"][0]: batch["img"] for batch in loader}

    alone, among = views(make_cfg(), items[7:8]), views(make_cfg(), items)
    (path,) = alone
    assert torch.equal(alone[path], among[path])
    assert not torch.equal(alone[path], views(make_cfg(), items, 1)[path])
    assert not torch.equal(alone[path], views(make_cfg(SEED=2), items)[path])
    fixed = make_cfg(DATALOADER__VIEWS=2)
    assert torch.equal(views(fixed, items, 0)[path], views(fixed, items, 2)[path])
    assert not torch.equal(views(fixed, items, 0)[path], views(fixed, items, 1)[path])


def test_last_short_batch_as_dassl_does(make_cfg, make_items):
    cfg, items = make_cfg(), make_items(per_class=5)
    assert [len(batch["label"]) for batch in _loader(cfg, items)] == [4, 4, 4]
    assert [len(batch["label"]) for batch in _loader(cfg, items, is_train=False)] == [4, 4, 4, 3]
    assert [len(batch["label"]) for batch in _loader(cfg, items[:3])] == [3]
    steps = make_cfg(DATALOADER__EPOCH_STEPS=5)
    assert [len(batch["label"]) for batch in _loader(steps, items)] == [4] * 5
    assert [len(batch["label"]) for batch in _loader(steps, items[:3])] == [3] * 5


def test_evaluation_has_one_order_and_one_view(make_cfg, make_items):
    loader = _loader(make_cfg(), make_items(), is_train=False)
    first, second = _epochs(loader)
    _equal(first, second)
    assert torch.cat([batch["index"] for batch in first]).tolist() == list(range(12))


def test_wrapper_views_and_img0(make_cfg, make_items):
    cfg, items = make_cfg(DATALOADER__K_TRANSFORMS=2, DATALOADER__RETURN_IMG0=True), make_items()
    tfm = build_transform(cfg)
    (batch, *_) = _loader(cfg, items, tfm=[tfm, tfm])
    assert [len(batch[key]) for key in ("img", "img2")] == [2, 2]
    assert not torch.equal(batch["img"][0], batch["img"][1])
    assert batch["img0"].shape == (4, 3, 16, 16)
    raw = DatasetWrapper(make_cfg(), items, transform=None)[3]
    assert raw["img"].size == (20, 16)
    assert raw["label"] == 0
    with pytest.raises(ConfigError, match="K_TRANSFORMS is 2"):
        DatasetWrapper(cfg, items, is_train=True)


def test_foreign_wrapper_with_dassls_signature_works(make_cfg, make_items):
    class Foreign(torch.utils.data.Dataset):
        def __init__(self, cfg, data_source, transform=None, is_train=False):
            self.data_source = data_source

        def __len__(self):
            return len(self.data_source)

        def __getitem__(self, idx):
            return {"img": torch.zeros(2), "label": self.data_source[idx].label}

    (batch, *_) = _loader(make_cfg(), make_items(), dataset_wrapper=Foreign)
    assert set(batch) == {"img", "label", "task", "index"}


def test_multi_label_items_become_float_rows(make_cfg, make_items):
    items = make_items()
    mixed = [Datum(item.impath, (0, 2)) if place % 2 else item for place, item in enumerate(items)]
    (batch, *_) = _loader(make_cfg(), mixed, is_train=False, num_classes=5)
    assert batch["label"].dtype == torch.float32
    assert batch["label"].tolist()[:2] == [[1, 0, 0, 0, 0], [1, 0, 1, 0, 0]]


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_image_is_an_error_or_left_out_and_noted(make_cfg, make_items, tmp_path, workers, caplog):
    bad = tmp_path / "bad.png"
    bad.write_text("not an image")
    items = [*make_items(per_class=2), Datum(str(bad), 0)]
    with pytest.raises(DataError) as caught:
        list(_loader(make_cfg(DATALOADER__NUM_WORKERS=workers), items, is_train=False))
    assert str(caught.value).startswith(f"The file {bad} is not an image that can be read; ")
    assert "DATASET.ON_BAD_IMAGE skip" in str(caught.value)
    cfg = make_cfg(DATALOADER__NUM_WORKERS=workers, DATASET__ON_BAD_IMAGE="skip")
    loader = _loader(cfg, items, is_train=False, batch_size=2)
    assert sum(len(batch["label"]) for batch in loader) == 6
    list(loader)
    assert loader.skipped == {str(bad)}
    assert caplog.text.count("it is left out") == 1


def test_image_that_a_transform_refuses_is_named(make_cfg, make_items):
    (item, *_) = make_items()
    cfg = make_cfg(INPUT__TRANSFORMS=("random_crop",), INPUT__SIZE=(64, 64))
    with pytest.raises(DataError, match=rf"^The image {item.impath}: an image of 20 x 16 pixels is smaller"):
        list(_loader(cfg, [item]))


def test_no_image_at_all_is_an_error(make_cfg):
    with pytest.raises(DataError, match="no image to load for 'val'"):
        build_data_loader(make_cfg(), data_source=[], purpose="val")
    with pytest.raises(ConfigError, match="did you mean 'skip'"):
        _loader(make_cfg(DATASET__ON_BAD_IMAGE="skipp"), [Datum("a.png", 0)])


def test_large_splits_stream_past_the_cache(make_cfg, make_items):
    items = make_items()
    cfg = make_cfg(DATALOADER__CACHE_MB=0)
    assert DatasetWrapper(cfg, items, is_train=True).cache_bytes == 0
    cfg = make_cfg(DATALOADER__CACHE_MB=1, INPUT__SIZE=(224, 224))
    assert DatasetWrapper(cfg, items, is_train=True).cache_bytes == 2**20
    assert DatasetWrapper(cfg, items).cache_bytes == 0
    assert DatasetWrapper(cfg, items[:2]).cache_bytes == 2**20
    assert DatasetWrapper(cfg, items[:2], build_transform(cfg, False)).cache_bytes == 2**20  # 8-bit pixels
    image_cache(2**20).clear()
    list(_loader(cfg, items, is_train=False))
    assert len(image_cache(2**20)) == 0


@pytest.mark.parametrize("is_train", [True, False])
def test_cached_images_equal_fresh_ones_and_belong_to_the_caller(make_cfg, make_items, is_train):
    items = make_items()
    for names in (("normalize",), ("random_flip", "normalize")):
        fresh_cfg = make_cfg(DATALOADER__CACHE_MB=0, INPUT__TRANSFORMS=names)
        fresh = _epochs(_loader(fresh_cfg, items, is_train))
        loader = _loader(make_cfg(INPUT__TRANSFORMS=names), items, is_train)
        loader.dataset[0]["img"].zero_()
        for one, other in zip(_epochs(loader), fresh, strict=True):
            _equal(one, other)
    # Another transform of the same images is another entry.
    light = make_cfg(INPUT__TRANSFORMS=("normalize",), INPUT__PIXEL_MEAN=[0.0, 0.0, 0.0])
    (batch, *_) = _loader(light, items, is_train)
    assert not torch.equal(batch["img"], fresh[0][0]["img"])


def test_deterministic_images_are_transformed_once(make_cfg, make_items):
    image_cache(2**29).clear()
    loader = _loader(make_cfg(INPUT__TRANSFORMS=("normalize",)), make_items())
    list(loader)
    hits = image_cache(2**29).hits
    list(loader)
    assert image_cache(2**29).hits - hits == 12


def test_legacy_repeats_the_fixed_order_and_batch_of_the_papers_elevater_loaders(toy_tasks, tmp_path):
    from support.toy import toy_config

    import mvlpt.datasets  # noqa: F401 - registers the data sets
    from mvlpt.data import DataManager

    def order(**options):
        cfg = toy_config(tmp_path, DATASET__DATASET="toy-warm,toy-cold", DATASET__NUM_SHOTS=-1, **options)
        loader = DataManager(cfg).train_loader_x
        return [index for batch in loader for index in batch["index"].tolist()], len(loader)

    assert order(TRAINER__LEGACY=True) == (list(range(15)), 1)
    assert order(TRAINER__LEGACY=True, DATASET__COOP=True) == order()
    assert order()[0] != sorted(order()[0])
