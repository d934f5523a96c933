"""The embedded tasks' reader, on small folders of the same layout and on those that ship."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from mvlpt.config import get_cfg_default
from mvlpt.data import DATASET_REGISTRY, DataManager
from mvlpt.datasets.embedded import EmbeddedTask, embedded_names, embedded_root, embedded_task
from mvlpt.errors import DataError, UnknownNameError


def _write_task(folder, classes, sizes):
    folder.mkdir()
    (folder / "labels.txt").write_text("".join(f"{folder.name} {label}\n" for label in range(classes)))
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "images.zip", "w") as pages:
        for split, per_class in sizes.items():
            lines = []
            for number in range(classes * per_class):
                page = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(page, "PNG")
                pages.writestr(f"{split}/{number}.png", page.getvalue())
                lines.append(f"images.zip@{split}/{number}.png {number % classes}\n")
            (folder / f"{split}.txt").write_text("".join(lines))


@pytest.fixture
def root(tmp_path):
    rows = {}
    for subject, classes in (("weather", 3), ("food", 4)):
        name = f"{subject}-plain"
        _write_task(tmp_path / name, classes, {"train": 6, "val": 5, "test": 3})
        rows[name] = {"subject": subject, "look": "plain"}
    (tmp_path / "tasks.json").write_text(json.dumps({"format_version": 1, "tasks": rows}))
    return tmp_path


def _cfg(**options):
    cfg = get_cfg_default()
    cfg.SEED, cfg.VERBOSE, cfg.INPUT.SIZE, cfg.DATALOADER.NUM_WORKERS = 1, False, (12, 12), 0
    for key, value in options.items():
        cfg.DATASET[key] = value
    cfg.freeze()
    return cfg


def test_task_has_its_table_row_splits_and_names(root):
    task = embedded_task("food-plain", root)
    data = task(_cfg(NUM_SHOTS=2))
    assert issubclass(task, EmbeddedTask)
    assert (data.name, data.subject, data.look) == ("food-plain", "food", "plain")
    assert data.classnames == [f"food-plain {label}" for label in range(4)]
    assert [len(items) for items in (data.train_x, data.val, data.test)] == [8, 8, 12]
    everything = task(_cfg())
    assert [len(items) for items in (everything.train_x, everything.val)] == [24, 20]


def test_sampling_protocol_and_classes_are_the_configs(root):
    task = embedded_task("food-plain", root)
    toolkit = task(_cfg(NUM_SHOTS=5, SAMPLING="elevater"))
    assert [len(items) for items in (toolkit.train_x, toolkit.val)] == [16, 4]
    new = task(_cfg(NUM_SHOTS=1, SUBSAMPLE_CLASSES="new"))
    assert new.classnames == ["food-plain 2", "food-plain 3"]
    assert sorted({item.label for item in new.test}) == [0, 1]


def test_only_the_validation_split_may_be_empty(root):
    (root / "food-plain" / "val.txt").write_text("")
    assert embedded_task("food-plain", root)(_cfg(NUM_SHOTS=2)).val == []
    (root / "food-plain" / "train.txt").write_text("")
    with pytest.raises(DataError, match=r"train\.txt lists no image"):
        embedded_task("food-plain", root)(_cfg())


def test_tasks_train_together(root, request):
    for name in embedded_names(root):
        DATASET_REGISTRY.register(embedded_task(name, root), name=f"tiny {name}")
        request.addfinalizer(lambda name=name: DATASET_REGISTRY._entries.pop(f"tiny {name}"))
    manager = DataManager(_cfg(NAME="tiny food-plain,tiny weather-plain", NUM_SHOTS=1))
    assert [task.name for task in manager.tasks] == ["food-plain", "weather-plain"]
    (batch,) = manager.train_loader_x
    assert batch["img"].shape == (7, 3, 12, 12)
    assert sorted(batch["label"].tolist()) == list(range(7))


def test_unknown_task_and_broken_table_are_named(root, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'food-plain'"):
        embedded_task("food-plan", root)
    (root / "tasks.json").write_text('{"format_version": 2, "tasks": {}}')
    with pytest.raises(DataError, match=r"tasks\.json has format 2"):
        embedded_names(root)
    (root / "tasks.json").write_text('{"format_version": 1')
    with pytest.raises(DataError, match=r"tasks\.json is not readable JSON"):
        embedded_names(root)
    (root / "tasks.json").unlink()
    assert embedded_names(root) == []
    with pytest.raises(DataError, match=r"tasks\.json does not exist"):
        embedded_task("food-plain", root)


@pytest.mark.skipif(not embedded_names(), reason="the embedded tasks are not built yet")
@pytest.mark.parametrize("name", embedded_names())
def test_every_shipped_task_reads(name):
    data = DATASET_REGISTRY.get(name)(_cfg(NUM_SHOTS=1))
    table = json.loads((embedded_root() / "tasks.json").read_text())
    row = table["tasks"][name]
    assert data.classnames == row["classes"]
    assert len(data.train_x) == len(data.classnames)
    assert 0 < len(data.val) <= len(data.classnames)
    assert len(data.test) == row["images"]["test"]
    paths = {item.impath for item in data.test} & {item.impath for item in (*data.train_x, *data.val)}
    assert not paths
