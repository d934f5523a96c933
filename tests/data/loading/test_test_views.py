"""What an image is evaluated on: its centre or the whole of it, as the task's benchmark says or as the config says."""

import numpy as np
import pytest
import torch
from PIL import Image

from mvlpt.config import get_cfg_default
from mvlpt.data import DataManager, build_dataset, read_image
from mvlpt.data.features import FeatureCache, build_feature_loader
from mvlpt.data.loading import Pipeline
from mvlpt.errors import ConfigError

VIEWS = {"DATASET__NAME": "plain,whole", "INPUT__INTERPOLATION": "bicubic", "INPUT__TRANSFORMS": ("random_flip",)}


def centre(image):
    """20 x 16 pixels by way of the short side."""
    return image.crop((2, 0, 18, 16))


def squashed(image):
    return image.resize((16, 16), Image.Resampling.BICUBIC)


def expected(impath, fit):
    return torch.from_numpy(np.array(fit(read_image(impath)))).permute(2, 0, 1) / 255


@pytest.fixture
def tasks(make_task):
    make_task("plain")
    make_task("whole", center_crop=False)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("choice", "fits"),
    [("task", (centre, squashed)), ("center", (centre, centre)), ("squash", (squashed, squashed))],
)
def test_each_task_is_evaluated_as_its_benchmark_or_the_config_says(tasks, make_cfg, choice, fits, workers):
    cfg = make_cfg(**VIEWS, INPUT__TEST_CROP=choice, DATALOADER__NUM_WORKERS=workers)
    with DataManager(cfg) as manager:
        assert isinstance(manager.tfm_test, Pipeline) == (choice != "task")
        for loader in (manager.val_loader, manager.test_loader):
            seen = 0
            for batch in loader:
                for image, task, path in zip(batch["img"], batch["task"].tolist(), batch["impath"], strict=True):
                    assert torch.allclose(image, expected(path, fits[task]), atol=1e-6)
                    seen += 1
            assert seen == len(loader.data_source)


def test_img0_does_not_change_what_a_task_is_evaluated_on(tasks, make_cfg):
    (plain, *_) = DataManager(make_cfg(**VIEWS)).test_loader
    (other, *_) = DataManager(make_cfg(**VIEWS, DATALOADER__RETURN_IMG0=True)).test_loader
    assert torch.allclose(plain["img"], other["img"], atol=1e-6)


def test_features_of_a_task_are_found_by_runs_with_other_tasks(tasks, make_cfg):
    encoded = []

    def encode(images):
        encoded.append(len(images))
        return images.flatten(1)

    cache = FeatureCache(10)

    def features(names):
        manager = DataManager(make_cfg(**{**VIEWS, "DATASET__NAME": names}))
        options = {"cache": cache, "key": "k", "transform": manager.tfm_test, "random_views": False}
        return manager, build_feature_loader(manager.test_loader, encode, **options)

    features("whole")
    assert sum(encoded) == 9
    manager, both = features("plain,whole")
    assert sum(encoded) == 18
    images = torch.cat([batch["img"] for batch in manager.test_loader])
    assert torch.equal(both.bank.features[0], images.flatten(1))


def test_kitti_distance_is_tested_on_whole_images(tmp_path):
    from support.mini_tasks import write_official

    import mvlpt.datasets  # noqa: F401 - registers the tasks

    write_official(tmp_path, "kitti-distance")
    write_official(tmp_path, "mnist")

    def crop(name, *options):
        cfg = get_cfg_default()
        cfg.merge_from_list(["DATASET.ROOT", str(tmp_path), "SEED", 1, "VERBOSE", False, *options])
        cfg.freeze()
        return build_dataset(cfg, name).center_crop

    assert (crop("kitti-distance"), crop("mnist")) == (False, True)
    legacy = ("TRAINER.LEGACY", True, "DATASET.CENTER_CROP")
    assert [crop(name, *legacy, False) for name in ("kitti-distance", "mnist")] == [False, False]
    assert [crop(name, *legacy, True) for name in ("kitti-distance", "mnist")] == [True, True]


def test_a_wrong_choice_is_refused():
    from mvlpt.config.checks import check_config

    cfg = get_cfg_default()
    cfg.INPUT.TEST_CROP = "centre"
    with pytest.raises(ConfigError, match=r"INPUT\.TEST_CROP is 'centre'; did you mean 'center'"):
        check_config(cfg)
