"""A run's configuration: preprocessing follows the backbone, and `--resume DIR` alone goes on with what is there."""

import json
import shutil
from pathlib import Path

import pytest

from mvlpt.api import resolve_config
from mvlpt.cli import main
from mvlpt.config import get_cfg_default, options_in
from mvlpt.engine import config_identity, read_results
from mvlpt.models import load_backbone
from mvlpt.models.backbone import backbone_images

SHORT = {"OPTIM.MAX_EPOCH": 1, "RUN.TENSORBOARD": False, "DATALOADER.NUM_WORKERS": 0}
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]


def resolved(**options):
    named = {"TRAINER.NAME": "MVLPT-VPT", "MODEL.BACKBONE.NAME": "embedded", "SEED": 1}
    return resolve_config(options={**named, **{key.replace("__", "."): value for key, value in options.items()}})


@pytest.mark.parametrize("name", ["embedded", "ViT-B/16", "RN50", "coca_ViT-B-32", "ViT-B-16-SigLIP-256"])
def test_what_a_backbone_says_before_it_is_loaded(name):
    said = backbone_images(name, "random")
    if "SigLIP" in name:  # its tokenizer is not on every machine
        assert said.size == (256, 256)
        return
    loaded = load_backbone(name, "random")
    assert said == (loaded.image_size, loaded.interpolation, loaded.image_mean, loaded.image_std)


def test_the_table_of_weights_counts():
    assert backbone_images("ViT-B-16-SigLIP", "webli").mean == (0.5, 0.5, 0.5)


def test_preprocessing_follows_the_backbone():
    cfg = resolved()
    assert (cfg.INPUT.SIZE, cfg.INPUT.INTERPOLATION) == ((48, 48), "bicubic")
    assert cfg.INPUT.PIXEL_MEAN == CLIP_MEAN
    assert cfg.INPUT.TRANSFORMS == ("normalize",)
    wide = resolved(MODEL__BACKBONE__NAME="ViT-L/14@336px")
    assert wide.INPUT.SIZE == (336, 336)


def test_an_option_has_precedence_key_by_key():
    cfg = resolved(INPUT__SIZE="(48, 48)", INPUT__TRANSFORMS=["random_flip", "normalize"], INPUT__PIXEL_STD=[1, 1, 1])
    assert cfg.INPUT.TRANSFORMS == ("random_flip", "normalize")
    assert cfg.INPUT.PIXEL_MEAN == CLIP_MEAN
    assert cfg.INPUT.PIXEL_STD == [1, 1, 1]


def test_a_file_that_says_how_images_are_prepared_is_left_alone(tmp_path):
    (tmp_path / "own.yaml").write_text("TRAINER: {NAME: MVLPT-VPT}\nINPUT: {SIZE: [48, 48]}\n")
    cfg = resolve_config(files=[tmp_path / "own.yaml"], options={"MODEL.BACKBONE.NAME": "embedded", "SEED": 1})
    defaults = get_cfg_default()
    assert cfg.INPUT.PIXEL_MEAN == defaults.INPUT.PIXEL_MEAN
    assert cfg.INPUT.TRANSFORMS == ()


def test_trainers_that_are_not_built_on_a_clip_keep_dassls_defaults(tmp_path):
    plugin = tmp_path / "own.py"
    plugin.write_text(
        "from mvlpt.engine import TRAINER_REGISTRY, TrainerX\n"
        "@TRAINER_REGISTRY.register()\nclass NoClip(TrainerX):\n    pass\n"
    )
    cfg = resolve_config(options={"TRAINER.NAME": "NoClip", "MODEL.BACKBONE.NAME": "RN50"}, plugins=[plugin])
    assert cfg.INPUT.PIXEL_MEAN == get_cfg_default().INPUT.PIXEL_MEAN


def test_a_run_of_an_older_version_keeps_the_preprocessing_that_it_recorded(tmp_path):
    old = resolved(INPUT__SIZE=(48, 48), INPUT__PIXEL_MEAN=[0.485, 0.456, 0.406], INPUT__TRANSFORMS=[])
    (tmp_path / "config.yaml").write_text(old.dump())
    again = resolved(OUTPUT_DIR=str(tmp_path))
    assert config_identity(again) == config_identity(old)


def train(*words):
    return main(["train", "--quiet", *map(str, words), *(str(w) for pair in SHORT.items() for w in pair)])


def test_a_trainer_and_a_backbone_without_a_file_run(toy_tasks, tmp_path):
    line = ["--trainer", "MVLPT-VPT", "--backbone", "embedded", "--dataset", "toy-cold", "--shots", 1, "--seed", 1]
    assert train(*line, "--output-dir", tmp_path / "run") == 0
    recorded = options_in(tmp_path / "run")
    assert (tuple(recorded["INPUT.SIZE"]), recorded["INPUT.PIXEL_MEAN"]) == ((48, 48), CLIP_MEAN)


def test_resume_alone_goes_on_with_what_the_folder_holds(toy_tasks, tmp_path, monkeypatch):
    """Also after the folder has moved, and where the run was made from another one."""
    line = ["--trainer", "MVLPT-VPT", "--backbone", "embedded", "--dataset", "toy-cold", "--shots", 1, "--seed", 3]
    assert train(*line, "--output-dir", tmp_path / "first") == 0
    whole = (tmp_path / "first" / "prompt.safetensors").read_bytes()
    state = json.loads((tmp_path / "first" / "run.json").read_text())
    (tmp_path / "first" / "run.json").write_text(json.dumps({**state, "state": "failed"}))
    for name in ("prompt.safetensors", "results.jsonl"):
        (tmp_path / "first" / name).unlink()
    shutil.move(tmp_path / "first", tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "moved", "--quiet"]) == 0
    assert (tmp_path / "moved" / "prompt.safetensors").read_bytes() == whole
    assert len(read_results(Path("moved") / "results.jsonl")) == 1
    assert not Path("first").exists()
    assert main(["train", "--output-dir", "moved", "--resume", "--quiet"]) == 0  # finished: reported


def test_resume_alone_where_nothing_is(tmp_path, capsys):
    assert main(["train", "--resume", str(tmp_path)]) == 2
    assert "holds no run to go on with" in capsys.readouterr().err
