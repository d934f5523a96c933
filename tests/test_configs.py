"""Every shipped configuration runs: trainers make one step, experiments expand into runs."""

from pathlib import Path

import pytest

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.config import get_cfg_default
from mvlpt.config.shipped import find_config, short_names
from mvlpt.engine import TRAINER_REGISTRY, run_config
from mvlpt.engine.resources import Resources, shared_resources
from mvlpt.errors import ConfigError

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TRAINERS = sorted((CONFIGS / "trainers").glob("*/**/*.yaml"))  # those at the top are bases of others


@pytest.fixture(scope="module")
def backbones():
    """Loaded once for all configs."""
    return Resources()


@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_trainer_config_makes_one_step(toy_tasks, tmp_path, path, backbones):
    cfg = get_cfg_default()
    cfg.merge_from_file(path)
    small = {"DATALOADER.NUM_WORKERS": 0, "DATALOADER.TEST.BATCH_SIZE": 4, "RUN.TENSORBOARD": False, "VERBOSE": False}
    which = {"DATASET.DATASET": "toy-warm", "DATASET.NUM_SHOTS": 1, "SEED": 1, "OUTPUT_DIR": str(tmp_path)}
    options = {**small, **which, "OPTIM.MAX_EPOCH": 1, "TRAINER.TPT.VIEWS": 2}
    cfg.merge_from_list([word for pair in options.items() for word in pair])
    if cfg.MODEL.BACKBONE.NAME != "embedded":
        # Nothing is downloaded here, and a narrow model of as many layers takes an eighth of the time.
        cfg.merge_from_list(["MODEL.BACKBONE.PRETRAINED", False, "MODEL.BACKBONE.NAME", "ViT-S-32"])
    cfg.freeze()
    with shared_resources(backbones):
        outcome = run_config(cfg)
    assert [row["task"] for row in outcome.rows] == ["toy-warm"]


def test_every_trainer_has_a_config():
    covered = {get_cfg(path).TRAINER.NAME for path in TRAINERS}
    names = TRAINER_REGISTRY.registered_names()  # other tests register trainers of their own
    shipped = {name for name in names if TRAINER_REGISTRY.get(name).__module__.startswith("mvlpt.")}
    assert len(shipped) >= 20
    assert shipped - covered == set()


def get_cfg(path):
    cfg = get_cfg_default()
    cfg.merge_from_file(path)
    return cfg


def test_shipped_files_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("configs/trainers/MVLPT-CoOp/embedded.yaml").is_file()
    assert find_config("absent.yaml") == Path("absent.yaml")


def test_short_names_find_shipped_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for short, path in (
        ("MVLPT-VPT/embedded", "configs/trainers/MVLPT-VPT/embedded.yaml"),
        ("trainers/CoOp/vit_b16", "configs/trainers/CoOp/vit_b16.yaml"),
        ("configs/trainers/CoOp/vit_b16", "configs/trainers/CoOp/vit_b16.yaml"),
        ("CoOp/vit_b16.yaml", "configs/trainers/CoOp/vit_b16.yaml"),
        ("demo", "configs/experiments/demo.yaml"),
        ("eurosat", "configs/datasets/eurosat.yaml"),
    ):
        assert find_config(short) == find_config(path)
        assert find_config(short).is_file()


def test_every_short_name_leads_to_one_file():
    names = short_names()
    assert len(names) == len(set(names)) == len(list(CONFIGS.rglob("*.yaml")))
    assert all(find_config(name).is_file() for name in names)


def test_ones_own_files_come_before_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.yaml").write_text("tasks: [a]\n")
    assert find_config("demo") == Path("demo.yaml")


def test_the_nearest_short_name_is_suggested():
    with pytest.raises(ConfigError, match="did you mean 'MVLPT-VPT/embedded'"):
        get_cfg_default().merge_from_file("MVLPT-VTP/embedded")
    with pytest.raises(ConfigError, match="did you mean 'CoOp/vit_b16'"):
        get_cfg_default().merge_from_file("configs/trainers/CoOp/vit_b61.yaml")
