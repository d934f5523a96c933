"""Runs in which each task changes the shared prompt: caching, resume, adaptation, averages, what they refuse."""

import json
from pathlib import Path

import pytest
import torch
from support.stopping import ctrl_c_after
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.engine import config_identity, run_config
from mvlpt.models import load_prompt
from mvlpt.runtime import Interrupted

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
PRIVATE = {"TRAINER__MVLPT__PRIVATE__RANK": 2, "TRAINER__MVLPT__PRIVATE__LR_MULT": 5.0}
OWN_CLASSES = {"DATALOADER__TASK_BATCHES": "single", "DATASET__MULTITASK_LABEL_PERTASK": True}


def run(folder, trainer="CoOp", tasks="toy-warm,toy-cold", **options):
    """The tensors of the prompt after three epochs."""
    cfg = toy_config(folder, DATASET__DATASET=tasks)
    cfg.merge_from_file(CONFIGS / f"MVLPT-{trainer}" / "embedded.yaml")
    options = {"OPTIM__MAX_EPOCH": 3, "OPTIM__WARMUP_EPOCH": -1, "DATASET__NUM_SHOTS": 2, **PRIVATE, **options}
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    cfg.freeze()
    run_config(cfg)
    return load_prompt(folder / "prompt.safetensors").tensors


def scores(folder):
    return {row["task"]: row["value"] for row in map(json.loads, (folder / "results.jsonl").read_text().splitlines())}


@pytest.mark.parametrize("options", [{}, OWN_CLASSES], ids=["mixed", "single"])
def test_cached_features_change_nothing(toy_tasks, tmp_path, options):
    one = run(tmp_path / "features", **options)
    other = run(tmp_path / "images", DATALOADER__FEATURE_CACHE_MB=0, **options)
    assert sum(name.startswith("private.task_toy-") for name in one) == 4
    assert all(value.any() for value in one.values())  # every part has been trained
    torch.testing.assert_close(one, other)
    assert scores(tmp_path / "features") == scores(tmp_path / "images")


@pytest.mark.parametrize("trainer", ["CoOp", "VPT", "UPT"])
@pytest.mark.parametrize("options", [{}, OWN_CLASSES], ids=["mixed", "single"])
def test_private_parts_that_stay_zero_leave_todays_training(toy_tasks, tmp_path, trainer, options):
    options = {"OPTIM__NAME": "sgd", **options}  # adam would turn rounding in zero gradients into steps
    held = run(tmp_path / "held", trainer, TRAINER__MVLPT__PRIVATE__LR_MULT=0.0, **options)
    shared = run(tmp_path / "shared", trainer, TRAINER__MVLPT__PRIVATE__RANK=0, **options)
    assert not any(value.any() for name, value in held.items() if name.endswith("_u"))
    assert not any("private" in name for name in shared)
    for name, value in shared.items():
        torch.testing.assert_close(held[name], value, rtol=1e-3, atol=1e-5)


def test_a_run_without_private_parts_is_the_run_that_it_was(tmp_path):
    cfg = toy_config(tmp_path)
    identity = config_identity(cfg)
    for key in ("RANK", "LR_MULT"):
        del cfg.TRAINER.MVLPT.PRIVATE[key]
    assert config_identity(cfg) == identity
    assert config_identity(toy_config(tmp_path, **PRIVATE)) != identity


@pytest.mark.parametrize("trainer", ["CoOp", "VPT"])
def test_a_run_that_is_stopped_and_resumed_ends_in_the_same_prompts(toy_tasks, tmp_path, trainer):
    run(tmp_path / "unbroken", trainer)
    with ctrl_c_after(3), pytest.raises(Interrupted):
        run(tmp_path / "resumed", trainer)
    torch.manual_seed(4321)
    run(tmp_path / "resumed", trainer, RESUME=str(tmp_path / "resumed"))
    one, other = ((tmp_path / name / "prompt.safetensors").read_bytes() for name in ("unbroken", "resumed"))
    assert one == other


def test_an_adaptation_starts_from_the_tasks_own_prompt(toy_tasks, tmp_path):
    source = run(tmp_path / "source", "VPT", **OWN_CLASSES)
    still = {"RUN__INIT_FROM": str(tmp_path / "source"), "OPTIM__LR": 0.0, **OWN_CLASSES}
    own = run(tmp_path / "own", "VPT", "toy-cold", **still)
    assert {name for name in own if "private" in name} == {name for name in source if "toy-cold" in name}
    assert all(torch.equal(value, source[name]) for name, value in own.items())
    assert scores(tmp_path / "own")["toy-cold"] == scores(tmp_path / "source")["toy-cold"]
    shared = run(tmp_path / "shared", "VPT", "toy-cold", TRAINER__MVLPT__PRIVATE__RANK=0, **still)
    assert shared.keys() == {name for name in source if "private" not in name}
    assert all(torch.equal(value, source[name]) for name, value in shared.items())


def test_a_mean_over_seeds_is_that_of_the_shared_prompts(toy_tasks, tmp_path):
    seeds = [run(tmp_path / str(seed), SEED=seed) for seed in (1, 2)]
    assert main(["average", str(tmp_path / "1"), str(tmp_path / "2"), "--output-dir", str(tmp_path / "mean")]) == 0
    state = torch.load(tmp_path / "mean" / "prompt_learner" / "model-best.pth.tar", weights_only=True)["state_dict"]
    assert list(state) == ["ctx"]
    torch.testing.assert_close(state["ctx"], (seeds[0]["ctx"] + seeds[1]["ctx"]) / 2)


def test_prompts_that_follow_each_image_take_no_private_parts(toy_tasks, tmp_path, capsys):
    line = ["--config-file", str(CONFIGS / "MVLPT" / "embedded.yaml"), "--dataset", "toy-warm,toy-cold", "--quiet"]
    line += ["--output-dir", str(tmp_path / "out"), "TRAINER.MVLPT.COCOOP.N_CTX", "2", "TRAINER.MVLPT.COOP.N_CTX", "0"]
    line += ["TRAINER.MVLPT.VPT.N_CTX", "0", "TRAINER.MVLPT.PRIVATE.RANK", "1"]
    assert main(["train", "--seed", "1", *line]) == 2
    assert "take no private parts" in capsys.readouterr().err
