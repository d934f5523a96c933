"""A method refuses a backbone that cannot carry it: one sentence, exit status 2."""

import json
from pathlib import Path

import open_clip
import pytest
from support.tiny_clip import TEXT, VISION

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models.prompts import PROMPT_METHODS

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
SHIPPED = sorted(path.parent.name for path in CONFIGS.glob("*/embedded.yaml"))
KINDS = [TRAINER_REGISTRY.get(name) for name in SHIPPED]
TRAINERS = {kind.method: name for name, kind in zip(SHIPPED, KINDS, strict=True) if hasattr(kind, "planned_prompt")}
BACKBONES = {
    "MVLPT-tiny-two-way-text": {"text_cfg": {**TEXT, "no_causal_mask": True}},
    "MVLPT-tiny-mean-of-patches": {"vision_cfg": {**VISION, "image_size": 48, "pool_type": "avg"}},
}


@pytest.fixture(scope="module", autouse=True)
def backbones(tmp_path_factory):
    """Registers architectures with open_clip for this module."""
    folder = tmp_path_factory.mktemp("configs")
    plain = {"embed_dim": 32, "vision_cfg": {**VISION, "image_size": 48}, "text_cfg": TEXT}
    for name, config in BACKBONES.items():
        (folder / f"{name}.json").write_text(json.dumps({**plain, **config}))
    open_clip.add_model_config(folder)
    yield
    open_clip.factory._MODEL_CONFIG_PATHS.remove(folder)
    open_clip.factory._rescan_model_configs()


CASES = [
    (trainer, backbone)
    for method, trainer in TRAINERS.items()
    for backbone in BACKBONES
    if "text" in backbone or (method in PROMPT_METHODS and PROMPT_METHODS.get(method).trains_image)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("trainer", "backbone"), CASES)
def test_it_is_refused_with_one_sentence(toy_tasks, tmp_path, capsys, trainer, backbone):
    line = ["train", "--trainer", trainer, "--config-file", f"configs/trainers/{trainer}/embedded.yaml"]
    line += ["--dataset", "toy-cold", "--shots", "1", "--seed", "1", "--quiet", "--backbone", backbone]
    options = ["--output-dir", str(tmp_path / "run"), "MODEL.BACKBONE.PRETRAINED", "random"]
    assert main([*line, *options]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "has random weights" not in line]
    assert len(said) == 1
    assert said[0].startswith(f"error: Backbone '{backbone}' cannot carry")
    assert not (tmp_path / "run").exists()
