"""Distillation from the prompt that a run starts from: its loss by hand, what a run with it is, what it refuses."""

import json
from pathlib import Path

import pytest
import torch
from support.stopping import ctrl_c_after
from support.toy import toy_config
from torch.nn import functional as F

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.engine import run_config
from mvlpt.engine.initial import load_weights
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import ConfigError
from mvlpt.models import load_prompt
from mvlpt.runtime import Interrupted
from mvlpt.trainers.distillation import distance

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
DISTILL = {"TRAINER__MVLPT__DISTILL__WEIGHT": 2.0, "TRAINER__MVLPT__DISTILL__TEMPERATURE": 3.0}
TRAINERS = ["MVLPT-CoOp", "MVLPT-VPT", "MVLPT-UPT"]


def config(folder, trainer="MVLPT-CoOp", **options):
    cfg = toy_config(folder)
    cfg.merge_from_file(CONFIGS / trainer / "embedded.yaml")
    chosen = {"OPTIM__MAX_EPOCH": 3, "OPTIM__WARMUP_EPOCH": -1, "DATALOADER__TRAIN_X__BATCH_SIZE": 3, **options}
    cfg.merge_from_list([word for key, value in chosen.items() for word in (key.replace("__", "."), value)])
    cfg.freeze()
    return cfg


@pytest.fixture(scope="module")
def sources(toy_tasks, tmp_path_factory):
    """A prompt of two tasks for each trainer, made when it is asked for."""
    folders = {}

    def source(trainer):
        if trainer not in folders:
            folders[trainer] = tmp_path_factory.mktemp(trainer)
            options = {"DATASET__DATASET": "toy-warm,toy-cold", "TEST__NO_TEST": True, "OPTIM__MAX_EPOCH": 2}
            run_config(config(folders[trainer], trainer, **options))
        return str(folders[trainer])

    return source


def tuned(folder):
    return load_prompt(folder / "prompt.safetensors").tensors


def test_the_divergence_is_torchs_and_the_square_of_the_temperature():
    generator = torch.Generator().manual_seed(1)
    logits, taught = torch.randn(2, 5, 7, generator=generator).unbind()
    for temperature in (1.0, 4.0):
        expected = F.kl_div(
            (logits / temperature).log_softmax(1), (taught / temperature).softmax(1), reduction="none"
        ).sum(1)
        found = distance(logits, taught, "kl", temperature)
        torch.testing.assert_close(found, temperature**2 * expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(distance(logits, taught, "mse"), (logits - taught).square().mean(1))
    assert not distance(taught, taught, "kl").any()


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_classes_of_other_tasks_take_no_part(kind):
    generator = torch.Generator().manual_seed(2)
    logits, taught = torch.randn(2, 3, 6, generator=generator).unbind()
    hidden = torch.tensor([False, True, False, False, True, True])
    masked = [part.masked_fill(hidden, float("-inf")).requires_grad_() for part in (logits, taught)]
    found = distance(*masked, kind, 2.0)
    torch.testing.assert_close(found, distance(logits[:, ~hidden], taught[:, ~hidden], kind, 2.0))
    (gradient,) = torch.autograd.grad(found.sum(), masked[0])
    assert torch.isfinite(gradient).all()
    assert not gradient[:, hidden].any()


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_step_follows_cross_entropy_and_the_divergence_from_the_source(sources, tmp_path, trainer):
    cfg = config(tmp_path, trainer, RUN__INIT_FROM=sources(trainer), **DISTILL)
    made = build_trainer(cfg)
    load_weights(made, cfg.RUN.INIT_FROM)
    made.distillation.begin()
    input, label = made.parse_batch_train(next(iter(made.train_loader_x)))
    made.model.eval()  # no dropout
    with torch.no_grad():
        taught = made.model(input.images, input.task)
        for parameter in made.model.prompt_learner.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    logits = made.model(input.images, input.task)
    expected = F.cross_entropy(logits, label, reduction="none") + 2.0 * 9.0 * F.kl_div(
        (logits / 3).log_softmax(1), (taught / 3).softmax(1), reduction="none"
    ).sum(1)
    parameters = [p for p in made.model.prompt_learner.parameters() if p.requires_grad]
    wanted = torch.autograd.grad(expected.mean(), parameters, allow_unused=True)
    made.optim.step = lambda *args, **kwargs: None
    made.batch_idx, made.num_batches = 0, 2
    summary = made.forward_backward({"img": input.images, "label": label, "task": input.task})
    assert summary["loss"] == pytest.approx(expected.mean().item(), rel=1e-4)
    for parameter, gradient in zip(parameters, wanted, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)


def test_a_heavy_weight_holds_the_prompt_at_the_source_and_fresh_ones_start_anew(sources, tmp_path):
    source = sources("MVLPT-VPT")
    start = load_prompt(Path(source) / "prompt.safetensors").tensors
    options = {"RUN__INIT_FROM": source, "OPTIM__NAME": "sgd", "OPTIM__LR": 0.001, "TEST__NO_TEST": True}
    run_config(config(tmp_path / "free", "MVLPT-VPT", **options))
    run_config(config(tmp_path / "held", "MVLPT-VPT", **options, TRAINER__MVLPT__DISTILL__WEIGHT=50.0))
    still = {"OPTIM__LR": 0.0, "TRAINER__MVLPT__DISTILL__WEIGHT": 1.0}
    run_config(config(tmp_path / "anew", "MVLPT-VPT", **{**options, **still}, TRAINER__MVLPT__DISTILL__FRESH=True))
    run_config(config(tmp_path / "fresh", "MVLPT-VPT", **{**options, "RUN__INIT_FROM": "", "OPTIM__LR": 0.0}))

    def moved(folder):
        return sum(float((value - start[name]).square().sum()) for name, value in tuned(tmp_path / folder).items())

    assert 0 < moved("held") < 0.9 * moved("free")
    assert all(torch.equal(value, tuned(tmp_path / "anew")[name]) for name, value in tuned(tmp_path / "fresh").items())


@pytest.mark.parametrize("fresh", [False, True])
def test_stopped_and_resumed_it_has_the_same_teacher(sources, tmp_path, fresh):
    options = {"RUN__INIT_FROM": sources("MVLPT-CoOp"), **DISTILL, "TRAINER__MVLPT__DISTILL__FRESH": fresh}
    run_config(config(tmp_path / "unbroken", **options))
    with ctrl_c_after(3), pytest.raises(Interrupted):
        run_config(config(tmp_path / "stopped", **options))
    run_config(config(tmp_path / "stopped", **options, RESUME=str(tmp_path / "stopped")))
    unbroken = tuned(tmp_path / "unbroken")
    assert all(torch.equal(value, unbroken[name]) for name, value in tuned(tmp_path / "stopped").items())
    rows = [json.loads((tmp_path / name / "results.jsonl").read_text()) for name in ("unbroken", "stopped")]
    assert rows[0]["value"] == rows[1]["value"]


def test_what_it_cannot_do_is_one_sentence(toy_tasks, tmp_path, capsys):
    with pytest.raises(ConfigError, match="KgCoOp does not distil"):
        build_trainer(config(tmp_path, "KgCoOp", **DISTILL))
    fresh = {"TRAINER__MVLPT__DISTILL__FRESH": True, "RUN__INIT_FROM": "somewhere", "RUN__START_SHARE": 0.5}
    with pytest.raises(ConfigError, match="would average unrelated prompts"):
        build_trainer(config(tmp_path, **DISTILL, **fresh))
    words = ["--config-file", str(CONFIGS / "MVLPT-CoOp" / "embedded.yaml"), "--dataset", "toy-warm", "--shots", "1"]
    words += ["--output-dir", str(tmp_path / "run"), "TRAINER.MVLPT.DISTILL.WEIGHT", "1.0"]
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert "starts from no prompt that could teach it" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
