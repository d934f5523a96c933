"""What the prompt trainers promise: exact caching, exchange with the paper's code, mixed label kinds, clear failure."""

import json
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from support.toy import toy_config
from torch.nn import functional as F

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.engine import run_config
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import TrainingError
from mvlpt.trainers.losses import correct, prompt_losses
from mvlpt.trainers.task_meter import TaskMeter

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"


def frozen(folder, **options):
    cfg = toy_config(folder, **options)
    cfg.freeze()
    return cfg


def prompt_of(folder, epoch=3):
    return torch.load(folder / "prompt_learner" / f"model.pth.tar-{epoch}", weights_only=True)["state_dict"]


@pytest.mark.parametrize("views", [0, 2])
def test_training_on_cached_features_equals_training_on_images(toy_tasks, tmp_path, views):
    """With fixed views, augmented ones too."""
    options = {"DATASET__DATASET": "toy-warm,toy-cold", "DATALOADER__VIEWS": views}
    if views:
        options["INPUT__TRANSFORMS"] = ("random_resized_crop", "random_flip", "normalize")
    run_config(frozen(tmp_path / "features", **options))
    run_config(frozen(tmp_path / "images", DATALOADER__FEATURE_CACHE_MB=0, **options))
    torch.testing.assert_close(prompt_of(tmp_path / "features")["ctx"], prompt_of(tmp_path / "images")["ctx"])
    one, other = ((tmp_path / name / "results.jsonl").read_text() for name in ("features", "images"))
    assert [json.loads(a)["value"] for a in one.splitlines()] == [json.loads(b)["value"] for b in other.splitlines()]


def test_a_run_warns_once_that_half_precision_needs_a_gpu(toy_tasks, tmp_path, caplog):
    run_config(frozen(tmp_path, TRAINER__MVLPT__PREC="fp16", OPTIM__MAX_EPOCH=1))
    assert [text for text in caplog.messages if "PREC" in text] == [
        "TRAINER.MVLPT.PREC fp16 needs a GPU; this run computes in fp32"
    ]


def test_multi_label_rows_share_their_weight_and_empty_rows_count_nothing():
    torch.manual_seed(0)
    logits = torch.randn(3, 5, requires_grad=True)
    label = torch.tensor([[1.0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]])
    masked = logits.masked_fill(
        torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool), -torch.inf
    )
    losses = prompt_losses(masked, label)
    by_hand = -F.log_softmax(logits[0, :3], dim=0)[[0, 2]].mean()
    torch.testing.assert_close(losses[0], by_hand)
    assert losses[1] == 0
    torch.testing.assert_close(losses[2], F.cross_entropy(logits[2:], torch.tensor([1])))
    losses.mean().backward()
    assert torch.isfinite(logits.grad).all()
    assert correct(torch.eye(3), torch.eye(3)).tolist() == [True] * 3
    assert correct(torch.eye(3), torch.tensor([0, 1, 0])).tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_equally_high_classes_the_first_counts(dtype):
    tied = torch.tensor([[1.0, 2.0, 2.0], [-torch.inf, -torch.inf, -torch.inf], [0.0, -torch.inf, 0.0]], dtype=dtype)
    assert correct(tied, torch.tensor([1, 0, 0])).tolist() == [True] * 3
    assert correct(tied, torch.tensor([2, 1, 2])).tolist() == [False] * 3


def test_the_task_meter_against_separate_backward_passes():
    torch.manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(4, 3))
    inputs, label, task = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 2, 0, 2, 0, 0])
    meter = TaskMeter(["a", "b", "c"], torch.device("cpu"))
    losses = prompt_losses(inputs @ weight, label)
    meter.measure_gradients(losses, task, [weight])
    meter.update(losses, correct(inputs @ weight, label), task)
    assert weight.grad is None
    table = meter.summary()
    assert set(table) == {"a", "c"}
    for name, rows in (("a", [0, 2, 4, 5]), ("c", [1, 3])):
        loss = F.cross_entropy((inputs @ weight)[rows], label[rows])
        (gradient,) = torch.autograd.grad(loss, weight)
        assert table[name]["loss"] == pytest.approx(loss.item(), rel=1e-5)
        assert table[name]["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-5)
        assert table[name]["images"] == len(rows)
    meter.reset()
    rows = task == 2
    prompt_losses(inputs[rows] @ weight, label[rows]).mean().backward()
    meter.measure_gradients(losses, task[rows], [weight])
    meter.read_gradients(task[rows], [weight])
    meter.read_gradients(task, [weight])  # a mixed batch says nothing about its first task
    meter.update(losses, torch.ones(6), task)
    assert meter.summary()["c"]["grad_norm"] == pytest.approx(table["c"]["grad_norm"], rel=1e-5)
    assert "grad_norm" not in meter.summary()["a"]


def test_each_tasks_loss_accuracy_and_gradient_norm_are_logged(toy_tasks, tmp_path):
    run_config(frozen(tmp_path, DATASET__DATASET="toy-warm,toy-cold"))
    lines = [line for line in (tmp_path / "log.txt").read_text().splitlines() if "grad_norm" in line]
    assert len([line for line in lines if "toy-warm" in line]) == 3
    assert all(word in lines[0] for word in ("loss", "acc", "images"))


def test_a_loss_that_is_not_finite_names_task_batch_and_rate_and_keeps_the_last_checkpoint(toy_tasks, tmp_path):
    options = {"DATASET__DATASET": "toy-warm,toy-cold", "TRAIN__CHECKPOINT_FREQ": 1}
    trainer = build_trainer(frozen(tmp_path, **options))
    normal = type(trainer).forward_backward

    def spoilt(batch):
        if trainer.epoch == 1:
            with torch.no_grad():
                trainer.model.prompt_learner.ctx.fill_(float("nan"))
        return normal(trainer, batch)

    trainer.forward_backward = spoilt
    with pytest.raises(
        TrainingError, match=r"loss is nan in epoch 2, batch 1, at learning rate 0\.\d+.*tasks in the batch: toy-"
    ):
        trainer.train()
    assert torch.isfinite(prompt_of(tmp_path, 1)["ctx"]).all()
    assert not (tmp_path / "prompt_learner" / "model.pth.tar-2").exists()


class Foreign:
    """Stands for a pickled scheduler."""


def test_a_checkpoint_of_the_papers_code_starts_a_run(toy_tasks, tmp_path, capsys):
    """Its keys, old names, fixed buffers, a NumPy score and a pickled scheduler."""
    options = ["--quiet", "OPTIM.MAX_EPOCH", "1", "OPTIM.LR", "1e-12", "RUN.TENSORBOARD", "False"]
    line = [
        "train",
        "--config-file",
        str(CONFIGS / "MVLPT-UPT" / "embedded.yaml"),
        "--dataset",
        "toy-warm",
        "--shots",
        "1",
    ]
    line += ["--seed", "3"]
    assert main([*line, "--output-dir", str(tmp_path / "ours"), *options]) == 0
    state = prompt_of(tmp_path / "ours", 1)
    assert any(key.startswith("mvlpt_proj.") for key in state)
    theirs = OrderedDict((key.replace("mvlpt_proj", "upt_proj"), value + 0.25) for key, value in state.items())
    theirs["token_prefix"], theirs["token_suffix"] = torch.zeros(7, 1, 128), torch.zeros(7, 20, 128)
    folder = tmp_path / "theirs" / "prompt_learner"
    folder.mkdir(parents=True)
    content = {"state_dict": theirs, "epoch": 9, "optimizer": {}, "scheduler": {"successor": Foreign()}}
    torch.save({**content, "val_result": np.float64(61.5)}, folder / "model-best.pth.tar")
    source = ["--model-dir", str(tmp_path / "theirs"), "--output-dir", str(tmp_path / "next")]
    assert main([*line, *source, *options]) == 0
    begun = prompt_of(tmp_path / "next", 1)
    for key, value in state.items():
        torch.testing.assert_close(begun[key], value + 0.25, atol=1e-5, rtol=0)
    capsys.readouterr()


def test_the_papers_command_line_runs(toy_tasks, tmp_path):
    line = ["train", "--root", str(tmp_path), "--seed", "1", "--trainer", "MVLPT"]
    line += ["--config-file", str(CONFIGS / "MVLPT" / "embedded.yaml"), "--output-dir", str(tmp_path / "run")]
    line += ["--dataset", "toy-warm,toy-cold", "--shots", "2", "--dataset-coop", "--multi-task"]
    line += ["--multi-task-label_pertask", "--multi-task-evalkey", "toy-cold", "--cut-contextlen", "--act-ckpt", "2"]
    options = {"VPT.N_CTX": 0, "COOP.N_CTX": 4, "COOP.CLASS_TOKEN_POSITION": "middle", "COOP.CSC": False}
    words = [str(word) for key, value in options.items() for word in (f"TRAINER.MVLPT.{key}", value)]
    words += ["TEST.NO_TEST", "False", "TEST.FINAL_MODEL", "best_val", "TRAINER.CUT_CONTEXTLEN", "True"]
    assert main([*line, *words, "OPTIM.MAX_EPOCH", "2", "RUN.TENSORBOARD", "False"]) == 0
    assert (tmp_path / "run" / "prompt_learner" / "model-best.pth.tar").is_file()


@pytest.mark.parametrize(
    ("lengths", "method"),
    [((2, 0, 0), "coop"), ((0, 2, 0), "vpt"), ((2, 2, 0), "upt"), ((0, 0, 2), "cocoop")],
)
def test_mvlpt_takes_its_method_from_the_context_lengths(toy_tasks, tmp_path, lengths, method):
    names = ("COOP", "VPT", "COCOOP")
    options = {f"TRAINER__MVLPT__{name}__N_CTX": length for name, length in zip(names, lengths, strict=True)}
    trainer = build_trainer(frozen(tmp_path, TRAINER__NAME="MVLPT", TRAINER__MVLPT__COOP__CTX_INIT="", **options))
    assert trainer.model.options["method"] == method


def test_average_of_seeds(toy_tasks, tmp_path, capsys):
    folders = [tmp_path / f"seed{seed}" for seed in (1, 2, 3)]
    for seed, folder in enumerate(folders, start=1):
        run_config(frozen(folder, SEED=seed, OPTIM__MAX_EPOCH=1))
    line = ["average", *map(str, folders), "--output-dir", str(tmp_path / "mean")]
    assert main(line) == 0
    mean = torch.load(tmp_path / "mean" / "prompt_learner" / "model-best.pth.tar", weights_only=True)["state_dict"][
        "ctx"
    ]
    torch.testing.assert_close(mean, sum(prompt_of(folder, 1)["ctx"] for folder in folders) / 3)
    assert main(line) == 2
    assert "holds a prompt already" in capsys.readouterr().err
    assert main(["average", str(folders[0]), str(folders[0]), "--output-dir", str(tmp_path / "twice")]) == 2
    run_config(
        frozen(tmp_path / "long", OPTIM__MAX_EPOCH=1, TRAINER__MVLPT__COOP__N_CTX=6, TRAINER__MVLPT__COOP__CTX_INIT="")
    )
    assert main(["average", str(folders[0]), str(tmp_path / "long"), "--output-dir", str(tmp_path / "other")]) == 2
    assert "ctx is (4, 128)" in capsys.readouterr().err


@pytest.mark.parametrize("config", ["MVLPT-CoOp", "MVLPT-VPT"])
@pytest.mark.parametrize("tasks", ["toy-warm", "toy-warm,toy-cold"])
def test_micro_batches_change_nothing_but_rounding(toy_tasks, tmp_path, config, tasks):
    for parts in (1, 3):
        cfg = toy_config(tmp_path / str(parts), DATASET__DATASET=tasks, OPTIM__NAME="sgd")
        cfg.merge_from_file(CONFIGS / config / "embedded.yaml")
        cfg.merge_from_list(["OPTIM.NAME", "sgd", "DATALOADER.TRAIN_X.BATCH_SIZE", 5, "OPTIM.MAX_EPOCH", 2])
        cfg.merge_from_list(["RUN.MICRO_BATCHES", parts, "RUN.TENSORBOARD", False, "DATASET.NUM_SHOTS", 3])
        cfg.freeze()
        trainer = build_trainer(cfg)
        with mock.patch.object(trainer, "_forward", side_effect=trainer._forward) as forward:
            trainer.train()
        assert len(forward.call_args_list[0].args[0].task) == (5 if parts == 1 else 2)
    one, other = (prompt_of(tmp_path / name, 2) for name in ("1", "3"))
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-4, atol=1e-6)


def test_features_kept_on_disk_are_read_in_place_of_images(toy_tasks, tmp_path, monkeypatch):
    line = ["--config-file", str(CONFIGS / "MVLPT-CoOp" / "embedded.yaml"), "--dataset", "toy-warm,toy-cold", "--quiet"]
    line += ["--shots", "2", "--seed", "1"]
    keys = ["OPTIM.MAX_EPOCH", "2", "RUN.TENSORBOARD", "False"]
    assert main(["train", *line, "--output-dir", str(tmp_path / "images"), *keys]) == 0
    assert main(["features", *line, "--output-dir", str(tmp_path / "kept")]) == 0
    assert json.loads((tmp_path / "kept" / "features.json").read_text())["images"]["train"] == 10

    def refuse(*_):
        raise AssertionError("an image was encoded")

    monkeypatch.setattr("mvlpt.trainers.prompt_trainer.PromptTrainer.encode_images", refuse)
    keys += ["DATALOADER.FEATURE_DIR", str(tmp_path / "kept")]
    assert main(["train", *line, "--output-dir", str(tmp_path / "read"), *keys]) == 0
    one, other = (prompt_of(tmp_path / name, 2) for name in ("images", "read"))
    assert torch.equal(one["ctx"], other["ctx"])


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [("MVLPT-VPT", "trains a prompt in the image tower"), ("MVLPT-CoOp", "too small for one split")],
)
def test_features_that_cannot_be_kept_are_refused(toy_tasks, tmp_path, capsys, trainer, expected):
    line = ["--config-file", str(CONFIGS / trainer / "embedded.yaml"), "--dataset", "toy-warm", "--seed", "1"]
    line += ["--output-dir", str(tmp_path / "out"), "--quiet", "DATALOADER.FEATURE_CACHE_MB", "0"]
    assert main(["features", *line]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_too_little_memory_has_a_status_of_its_own(toy_tasks, tmp_path, capsys, monkeypatch):
    def exhausted(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nand more")

    monkeypatch.setattr("mvlpt.trainers.prompt_trainer.PromptTrainer._forward", exhausted)
    line = ["--config-file", str(CONFIGS / "MVLPT-CoOp" / "embedded.yaml"), "--dataset", "toy-warm", "--seed", "1"]
    assert main(["train", *line, "--output-dir", str(tmp_path / "out"), "--quiet"]) == 12
    said = capsys.readouterr().err
    assert "out of memory" in said
    assert "RUN.MICRO_BATCHES" in said
    assert json.loads((tmp_path / "out" / "run.json").read_text())["state"] == "failed"


def test_who_watches_from_outside_sees_how_far_the_run_is(toy_tasks, tmp_path, monkeypatch):
    monkeypatch.setenv("MVLPT_PROGRESS_FILE", str(tmp_path / "progress.json"))
    run_config(frozen(tmp_path / "run"))
    shown = json.loads((tmp_path / "progress.json").read_text())
    assert shown["done"] == shown["total"] == 3  # one batch an epoch
    assert shown["text"].startswith("epoch 3/3 loss")
