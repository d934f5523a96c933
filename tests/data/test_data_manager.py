"""DataManager: one task and many, merged without touching the members."""

import logging

import pytest
import torch

from mvlpt.data import (
    DATASET_REGISTRY,
    DataManager,
    DatasetBase,
    DatasetWrapper,
    Datum,
    MultiTaskDataset,
    TaskInfo,
)
from mvlpt.errors import ConfigError, DataError


def _dataset(name, classes, **splits):
    data = DatasetBase(**splits, classnames=[f"{name} {label}" for label in range(classes)])
    data.name = name
    return data


def _items(name, labels):
    return [Datum(f"{name}/{place}.png", label) for place, label in enumerate(labels)]


def test_one_task_is_its_own_data_set(make_task, make_cfg):
    make_task("pets", classes=3)
    manager = DataManager(make_cfg(DATASET__NAME="pets", DATASET__NUM_SHOTS=2))
    assert isinstance(manager.dataset, DATASET_REGISTRY.get("pets"))
    assert manager.num_classes == 3
    assert manager.lab2cname == {0: "pets 0", 1: "pets 1", 2: "pets 2"}
    assert manager.train_loader_u is None
    assert manager.num_source_domains == 0
    assert manager.tasks == [
        TaskInfo(
            name="pets",
            classnames=("pets 0", "pets 1", "pets 2"),
            start=0,
            stop=3,
            metric="accuracy",
            multi_label=False,
            templates=("a photo of a {}.",),
            sizes=(6, 15, 9),
        )
    ]
    assert [len(loader) for loader in (manager.train_loader_x, manager.val_loader, manager.test_loader)] == [1, 3, 2]
    assert {int(task) for batch in manager.test_loader for task in batch["task"]} == {0}


def test_several_tasks_are_merged_in_the_order_given(make_task, make_cfg):
    make_task("pets", classes=3)
    make_task("cars", classes=2, metric="mean-per-class", templates=("a {}.",))
    manager = DataManager(make_cfg(DATASET__NAME="unused", DATASET__DATASET="cars, pets"))
    assert [(task.name, task.start, task.stop) for task in manager.tasks] == [("cars", 0, 2), ("pets", 2, 5)]
    assert [task.metric for task in manager.tasks] == ["mean-per-class", "accuracy"]
    assert manager.tasks[0].templates == ("a {}.",)
    assert manager.dataset.classnames == ["cars 0", "cars 1", "pets 0", "pets 1", "pets 2"]
    assert manager.lab2cname[2] == "pets 0"
    batches = list(manager.test_loader)
    label, task = (torch.cat([batch[key] for batch in batches]) for key in ("label", "task"))
    assert torch.equal(task, (label >= 2).long())
    assert torch.equal(task, torch.cat([batch["domain"] for batch in batches]))
    assert label.dtype == torch.int64


def test_members_stay_as_they_are_and_shared_lists_move_once():
    both = _items("net", [0, 1])
    first, second = (
        _dataset("pets", 3, train_x=_items("pets", [0, 1, 2]), test=_items("pets", [2])),
        _dataset("net", 2, train_x=_items("net", [0, 1]), val=both, test=both),
    )
    merged = MultiTaskDataset([first, second])
    assert [item.label for item in merged.val] == [item.label for item in merged.test[1:]] == [3, 4]
    assert [item.domain for item in merged.test] == [0, 1, 1]
    assert [(item.label, item.domain) for item in both] == [(0, 0), (1, 0)]
    assert merged.train_u is None
    assert merged.name == "pets,net"
    alone = MultiTaskDataset([second])
    assert [item.label for item in alone.test] == [0, 1]


def test_two_tasks_of_one_name_are_refused(make_cfg, make_task):
    data = _dataset("pets", 1, train_x=_items("pets", [0]))
    with pytest.raises(DataError, match="Two tasks are named 'pets'"):
        MultiTaskDataset([data, data])
    alike = [_dataset(name, 1, train_x=_items(name, [0])) for name in ("my pets", "my_pets")]
    with pytest.raises(
        DataError, match="The files of the tasks 'my pets' and 'my_pets' would have the same name, my_pets"
    ):
        MultiTaskDataset(alike)
    make_task("pets")
    with pytest.raises(ConfigError, match="'pets' is named twice"):
        DataManager(make_cfg(DATASET__NAME="pets,pets"))


def test_any_multi_label_task_makes_all_labels_rows(make_task, make_cfg):
    make_task("pets", classes=3)
    make_task("voc", classes=4, multi_label=True, metric="11point_mAP")
    manager = DataManager(make_cfg(DATASET__NAME="pets,voc"))
    assert manager.multi_label
    for batch in manager.train_loader_x:
        assert batch["label"].shape == (4, 7)
        assert batch["label"].dtype == torch.float32
        for row, task in zip(batch["label"], batch["task"], strict=True):
            assert row.sum() == (2 if task else 1)
            start, stop = manager.tasks[task].start, manager.tasks[task].stop
            assert row[start:stop].sum() == row.sum()


def test_missing_validation_split_is_none_and_nothing_takes_its_place(make_task, make_cfg):
    make_task("pets", val=[])
    assert DataManager(make_cfg(DATASET__NAME="pets")).val_loader is None
    make_task("cars")
    assert len(DataManager(make_cfg(DATASET__NAME="pets,cars")).val_loader.data_source) == 15


def test_uniform_sampling_and_steps_reach_the_loader(make_task, make_cfg):
    make_task("small", classes=2, per_class=2)
    make_task("large", classes=2, per_class=20)
    options = {"DATALOADER__TASK_SAMPLING": "uniform", "DATALOADER__EPOCH_STEPS": 6}
    manager = DataManager(make_cfg(DATASET__NAME="small,large", **options))
    tasks = torch.cat([batch["task"] for batch in manager.train_loader_x])
    assert len(manager.train_loader_x) == 6
    assert torch.bincount(tasks).tolist() == [12, 12]


def test_epochs_are_set_through_the_manager(make_task, make_cfg):
    make_task("pets")
    manager = DataManager(make_cfg(DATASET__NAME="pets"))
    epochs = [[batch["index"].tolist() for batch in manager.train_loader_x] for _ in range(3)]
    manager.set_epoch(1, start_batch=2)
    assert [batch["index"].tolist() for batch in manager.train_loader_x] == epochs[1][2:]


def test_custom_transforms_and_unlabelled_images(make_cfg, make_items, request):
    class Half(DatasetBase):
        def __init__(self, cfg):
            super().__init__(train_x=make_items("x"), train_u=make_items("u", per_class=8), test=make_items("t"))

    DATASET_REGISTRY.register(Half)
    request.addfinalizer(lambda: DATASET_REGISTRY._entries.pop("Half"))
    cfg = make_cfg(DATASET__NAME="Half")
    manager = DataManager(
        cfg, custom_tfm_train=lambda image: torch.ones(2), custom_tfm_test=lambda image: torch.zeros(3)
    )
    assert next(iter(manager.train_loader_u))["img"].shape == (4, 2)
    assert next(iter(manager.test_loader))["img"].shape == (5, 3)
    assert len(manager.train_loader_u) == 6


def test_images_without_a_transform_need_a_wrapper(make_task, make_cfg):
    class Sizes(DatasetWrapper):
        def __getitem__(self, idx):
            output = super().__getitem__(idx)
            return {**output, "img": torch.tensor(output["img"].size)}

    make_task("pets")
    cfg = make_cfg(DATASET__NAME="pets", INPUT__NO_TRANSFORM=True)
    assert next(iter(DataManager(cfg, dataset_wrapper=Sizes).test_loader))["img"].tolist() == [[20, 16]] * 5
    with pytest.raises(ConfigError, match=r"set INPUT\.NO_TRANSFORM False, or pass a dataset_wrapper"):
        DataManager(cfg)


def test_summary_is_logged(make_task, make_cfg, caplog):
    make_task("pets")
    make_task("cars", classes=2)
    with caplog.at_level(logging.INFO, logger="mvlpt"):
        DataManager(make_cfg(DATASET__NAME="pets,cars", VERBOSE=True))
    assert "pets" in caplog.text
    assert "2 tasks" in caplog.text


def test_no_worker_outlives_the_manager(make_task, make_cfg):
    import multiprocessing

    make_task("pets")
    before = set(multiprocessing.active_children())
    with DataManager(make_cfg(DATASET__NAME="pets", DATALOADER__NUM_WORKERS=1)) as manager:
        list(manager.train_loader_x)
        assert set(multiprocessing.active_children()) - before
    assert set(multiprocessing.active_children()) <= before
