"""Cached features stand in for images exactly: same order, same labels, same views."""

import pytest
import torch

from mvlpt.data import DataManager, Datum, build_data_loader, build_transform
from mvlpt.data.features import (
    FeatureBank,
    FeatureCache,
    FeatureLoader,
    build_feature_loader,
    encode_views,
    fingerprint_items,
)
from mvlpt.errors import ConfigError, DataError

WEIGHT = torch.randn(3 * 16 * 16, 7, generator=torch.Generator().manual_seed(0))
CALLS = []


def encode(images):
    CALLS.append(len(images))
    return images.flatten(1) @ WEIGHT


def _check_equal(images, features):
    images = list(images)
    if isinstance(features, FeatureLoader):  # it shares the loader's plan, which is now at the next epoch
        features.set_epoch(max(features.batch_sampler.epoch - 1, 0), features.batch_sampler.start_batch)
    features = list(features)
    assert len(images) == len(features)
    for one, other in zip(images, features, strict=True):
        for key in ("label", "domain", "task", "index"):
            assert torch.equal(one[key], other[key])
        assert one["impath"] == other["impath"]
        assert torch.allclose(encode(one["img"]), other["feature"], atol=1e-4)


@pytest.fixture
def manager(make_task, make_cfg):
    make_task("pets", classes=3)
    make_task("cars", classes=2)
    return DataManager(make_cfg(DATASET__NAME="pets,cars", DATALOADER__VIEWS=2, DATASET__NUM_SHOTS=3))


def test_training_on_features_equals_training_on_images(manager):
    loader = build_feature_loader(
        manager.train_loader_x, encode, cache=FeatureCache(10), key="k", random_views=True, batch_size=4
    )
    assert loader.bank.features.shape == (2, 15, 7)
    assert len(loader) == len(manager.train_loader_x)
    for epoch in range(3):
        manager.set_epoch(epoch)
        _check_equal(manager.train_loader_x, loader)
    manager.set_epoch(1)
    images = list(manager.train_loader_x)
    manager.set_epoch(1, start_batch=2)  # moves the features' loader too
    _check_equal(images[2:], list(loader))


def test_evaluation_needs_one_view(manager):
    loader = build_feature_loader(manager.test_loader, encode, cache=FeatureCache(10), key="k", random_views=False)
    assert loader.bank.num_views == 1
    _check_equal(manager.test_loader, loader)


def test_other_groups_of_the_same_tasks_find_their_features(manager, make_task, make_cfg):
    cache = FeatureCache(10)
    options = {"cache": cache, "key": "k", "random_views": False}
    build_feature_loader(manager.test_loader, encode, **options)
    CALLS.clear()
    for names in ("cars,pets", "pets", "cars"):
        other = DataManager(make_cfg(DATASET__NAME=names, DATALOADER__VIEWS=2, SEED=5))
        loader = build_feature_loader(other.test_loader, encode, **options)
        assert CALLS == []
        _check_equal(other.test_loader, loader)
        CALLS.clear()
    build_feature_loader(manager.test_loader, encode, **{**options, "key": "another backbone"})
    assert sum(CALLS) == 15


def test_few_shot_samples_share_nothing_they_should_not(manager, make_cfg):
    cache = FeatureCache(10)
    options = {"cache": cache, "key": "k", "random_views": True}
    build_feature_loader(manager.train_loader_x, encode, **options)
    other = DataManager(make_cfg(DATASET__NAME="pets,cars", DATALOADER__VIEWS=2, DATASET__NUM_SHOTS=3, SEED=2))
    _check_equal(other.train_loader_x, build_feature_loader(other.train_loader_x, encode, **options))


def test_new_views_every_epoch_cannot_be_kept(make_cfg, make_items):
    cfg = make_cfg()
    loader = build_data_loader(cfg, "RandomSampler", make_items(), tfm=build_transform(cfg), batch_size=4)
    with pytest.raises(ConfigError, match=r"set DATALOADER\.VIEWS"):
        build_feature_loader(loader, encode, cache=FeatureCache(1), key="k", random_views=True)
    plain = build_feature_loader(
        build_data_loader(cfg, "RandomSampler", make_items(), tfm=build_transform(cfg, False), batch_size=4),
        *(encode,),
        cache=FeatureCache(1),
        key="k",
        random_views=False,
    )
    assert [batch["feature"].shape for batch in plain] == [(4, 7)] * 3


def test_multi_label_rows_and_interleaved_tasks(make_cfg, make_items):
    cfg = make_cfg()
    items = [Datum(item.impath, (item.label, 3), place % 2) for place, item in enumerate(make_items())]
    options = {"tfm": build_transform(cfg, False), "batch_size": 5, "num_classes": 4, "multi_task": True}
    loader = build_data_loader(cfg, "SequentialSampler", items, is_train=False, **options)
    _check_equal(loader, build_feature_loader(loader, encode, cache=FeatureCache(1), key="k", random_views=False))


def test_bad_images_are_missing_from_the_bank_too(make_cfg, make_items, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    cfg = make_cfg(DATASET__ON_BAD_IMAGE="skip")
    items = make_items(classes=2, per_class=2)
    items.insert(1, Datum(str(tmp_path / "bad.png"), 0))
    items = [Datum(item.impath, item.label, place % 2) for place, item in enumerate(items)]
    loader = build_data_loader(cfg, data_source=items, tfm=build_transform(cfg, False), is_train=False, batch_size=2)
    features = build_feature_loader(loader, encode, cache=FeatureCache(1), key="k", random_views=False)
    _check_equal(loader, features)
    assert features.skipped == {str(tmp_path / "bad.png")}
    strict = build_data_loader(make_cfg(), data_source=items, tfm=build_transform(cfg, False), is_train=False)
    with pytest.raises(DataError, match=r"bad\.png"):
        build_feature_loader(strict, encode, cache=FeatureCache(1), key="k", random_views=False)


def test_cache_is_bounded_and_keeps_what_was_used_last():
    cache = FeatureCache(3 * 4000 / 2**20)
    built = []

    def bank(name):
        return cache.get_or_build(name, lambda: built.append(name) or FeatureBank(torch.zeros(1, 100, 10)))

    for name in ("a", "b", "c", "a", "d", "a", "b"):
        bank(name)
    assert built == ["a", "b", "c", "d", "b"]
    assert cache.num_bytes <= 12_000
    cache.clear()
    assert len(cache) == 0
    none = FeatureCache(0)
    assert none.get_or_build("a", lambda: FeatureBank(torch.zeros(1, 1, 1))) is not None
    assert len(none) == 0


def test_fingerprint_follows_path_label_and_file(tmp_path, make_items):
    items = make_items()
    first = fingerprint_items(items)
    assert first == fingerprint_items(items)
    moved = [Datum(item.impath, item.label + 1) for item in items]
    assert fingerprint_items(moved) != first
    assert fingerprint_items(moved, labels=False) == fingerprint_items(items, labels=False)
    assert fingerprint_items(items[::-1]) != first
    make_items(first=5)
    assert fingerprint_items(items) != first


def test_progress_and_sizes(make_cfg, make_items):
    from mvlpt.data import DatasetWrapper

    cfg, seen = make_cfg(), []
    wrapper = DatasetWrapper(cfg, make_items(), build_transform(cfg), is_train=True)
    bank = encode_views(wrapper, encode, views=2, batch_size=5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(5, 24), (10, 24), (12, 24), (17, 24), (22, 24), (24, 24)]
    assert len(bank) == 12
    assert FeatureBank.join([bank, bank]).features.shape == (2, 24, 7)
    loader = build_data_loader(cfg, data_source=make_items()[:3], tfm=build_transform(cfg))
    with pytest.raises(DataError, match="12 images, but the loader has 3"):
        FeatureLoader(bank, loader)


def test_label_sets_of_different_sizes_can_be_encoded(make_items, make_cfg):
    items = [Datum(item.impath, labels) for item, labels in zip(make_items(), [(0, 2), (1,), ()] * 4, strict=True)]
    cfg = make_cfg(INPUT__TRANSFORMS=("normalize",))
    loader = build_data_loader(
        cfg, data_source=items, batch_size=5, tfm=build_transform(cfg, is_train=False), is_train=False, num_classes=3
    )
    features = build_feature_loader(loader, encode, cache=FeatureCache(10), key="k", random_views=False)
    _check_equal(loader, features)
