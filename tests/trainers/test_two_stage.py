"""2SFS against its two stages done by hand, stopped and resumed in the second, and on classes it was not trained on."""

import json
import math

import pytest
import torch
from support.toy import toy_config
from torch.nn import functional as F

from mvlpt.engine import run_config
from mvlpt.engine.registries import build_trainer
from mvlpt.engine.simple_trainer import SimpleTrainer
from mvlpt.inference import load
from mvlpt.models import load_prompt
from mvlpt.models.prompts import fitting_classes, shared_state
from mvlpt.runtime import Interrupted

RATE = 0.01


def config(folder, trainer="2SFS", **options):
    options = {
        "DATASET__DATASET": "toy-warm,toy-cold",
        "OPTIM__LR": RATE,
        "TRAINER__NAME": trainer,
        "RUN__THREADS": 1,
        **options,
    }
    cfg = toy_config(folder, **{"TRAINER__TWOSTAGE__FIRST_SHARE": 0.34, **options})
    cfg.freeze()
    return cfg


def state_of(folder, epoch):
    file = folder / "prompt_learner" / f"model.pth.tar-{epoch}"
    return torch.load(file, weights_only=True)["state_dict"]


def scores(folder):
    return [json.loads(line)["value"] for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    """A run of one epoch of the first stage and two of the second."""
    folder = tmp_path_factory.mktemp("run")
    run_config(config(folder))
    return folder


def test_the_first_stage_is_layer_norm_tuning(finished, toy_tasks, tmp_path):
    run_config(config(tmp_path, "LNTuning", OPTIM__MAX_EPOCH=1))
    norms, ours = state_of(tmp_path, 1), state_of(finished, 3)
    assert norms.keys() == {name for name in ours if not name.startswith("classes.")}
    for name, value in norms.items():
        torch.testing.assert_close(ours[name], value, atol=0, rtol=0)


def test_the_second_stage_trains_a_cosine_classifier_alone(finished, toy_tasks, tmp_path):
    """Adam on weights that start at the text features, a cosine schedule of its own length, the same batches."""
    trainer, ours = build_trainer(config(tmp_path)), state_of(finished, 3)
    norms = {name: value for name, value in ours.items() if not name.startswith("classes.")}
    trainer.load_model_state("prompt_learner", norms, "the test")
    model, loader = trainer.model.eval(), trainer.train_loader_x
    weight = model.text_features().detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=RATE)
    for epoch in (0, 1):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * epoch / 2))
        loader.set_epoch(1 + epoch)
        for batch in loader:
            with torch.no_grad():
                images = model.image_features(batch["img"])
            logits = trainer.backbone.logit_scale.exp() * images @ F.normalize(weight, dim=-1).t()
            optimizer.zero_grad()
            F.cross_entropy(logits, batch["label"]).backward()
            optimizer.step()
    moved = (ours["classes.weight"] - model.text_features()).abs().max()
    assert moved > RATE
    torch.testing.assert_close(ours["classes.weight"], weight.detach(), atol=1e-5, rtol=1e-4)


def test_stopped_in_the_second_stage_it_ends_the_same(finished, toy_tasks, tmp_path, monkeypatch):
    after_step = SimpleTrainer.after_step

    def stop(self, next_batch):
        if self.epoch == 2 and next_batch == 1:
            self._stop.requested = True
        after_step(self, next_batch)

    with monkeypatch.context() as patch:
        patch.setattr(SimpleTrainer, "after_step", stop)
        with pytest.raises(Interrupted):
            run_config(config(tmp_path))
    run_config(config(tmp_path, RESUME=str(tmp_path)))
    ours, resumed = state_of(finished, 3), state_of(tmp_path, 3)
    assert all(torch.equal(ours[name], resumed[name]) for name in ours)
    assert scores(finished) == scores(tmp_path)


def test_adapted_it_keeps_a_share_of_the_groups_norms(finished, toy_tasks, tmp_path, monkeypatch):
    """The second stage works with the mean of the norms that the first one ends with and those of the start."""
    one = {"DATASET__DATASET": "toy-warm", "RUN__INIT_FROM": str(finished)}
    run_config(config(tmp_path / "plain", **one))
    run_config(config(tmp_path / "share", **one, RUN__START_SHARE=0.25))
    before, after, mean = state_of(finished, 3), state_of(tmp_path / "plain", 3), state_of(tmp_path / "share", 3)
    for name in before.keys() - {"classes.weight", "classes.codes"}:
        torch.testing.assert_close(mean[name], 0.25 * before[name] + 0.75 * after[name])
    after_step = SimpleTrainer.after_step

    def stop(self, next_batch):
        self._stop.requested |= self.epoch == 1 and next_batch == 1
        after_step(self, next_batch)

    with monkeypatch.context() as patch:
        patch.setattr(SimpleTrainer, "after_step", stop)
        with pytest.raises(Interrupted):
            run_config(config(tmp_path / "stopped", **one, RUN__START_SHARE=0.25))
    run_config(config(tmp_path / "stopped", **one, RUN__START_SHARE=0.25, RESUME=str(tmp_path / "stopped")))
    resumed = state_of(tmp_path / "stopped", 3)
    assert all(torch.equal(mean[name], resumed[name]) for name in mean)


def test_new_classes_are_read_from_the_tuned_text(finished, toy_tasks):
    saved = load_prompt(finished / "prompt.safetensors")
    mixed = load(finished, classes=["green", "purple", "red"])
    text = load(finished, classes=["ivory", "purple"]).class_weights()[1]
    weights = F.normalize(saved.tensors["classes.weight"], dim=-1)
    expected = torch.stack([weights[saved.class_names.index("green")], text, weights[0]])
    torch.testing.assert_close(mixed.class_weights(), expected, atol=1e-5, rtol=1e-4)


def test_base_to_new_compares_new_classes_by_their_text(toy_tasks, tmp_path):
    one = {"DATASET__DATASET": "toy-all", "OPTIM__MAX_EPOCH": 3}
    run_config(config(tmp_path / "base", DATASET__SUBSAMPLE_CLASSES="base", **one))
    evaluation = {"RUN__MODE": "eval", "RUN__INIT_FROM": str(tmp_path / "base"), "DATASET__SUBSAMPLE_CLASSES": "new"}
    run_config(config(tmp_path / "new", **one, **evaluation))
    run_config(
        config(tmp_path / "norms", "LNTuning", **{**one, "OPTIM__MAX_EPOCH": 1}, DATASET__SUBSAMPLE_CLASSES="base")
    )
    evaluation["RUN__INIT_FROM"] = str(tmp_path / "norms")
    run_config(config(tmp_path / "text", "LNTuning", **one, **evaluation))
    assert scores(tmp_path / "new") == scores(tmp_path / "text")


def test_weights_find_their_classes_in_any_order(finished, toy_tasks, tmp_path):
    saved = state_of(finished, 3)
    trainer = build_trainer(config(tmp_path, DATASET__DATASET="toy-cold,toy-all"))
    own = trainer.model.prompt_learner.state_dict()
    rows = fitting_classes(own, saved)["classes.weight"]
    names = {"red": 0, "yellow": 1, "white": 2, "blue": 3, "green": 4}
    expected = [names[name] for task in trainer.dm.tasks for name in task.classnames]
    assert torch.equal(rows, saved["classes.weight"][expected])
    twice = {name: torch.cat([value, value + 1]) for name, value in saved.items() if name == "classes.weight"}
    other = saved["classes.codes"].clone()
    other[:, 0] += 1  # the same names in other tasks
    twice["classes.codes"] = torch.cat([other, saved["classes.codes"]])
    assert torch.equal(fitting_classes(saved, twice)["classes.weight"], saved["classes.weight"] + 1)
    assert not fitting_classes(own, shared_state(saved))["classes.weight"].any()
