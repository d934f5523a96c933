"""Trainers that take a labelled and an unlabelled batch in each step."""

import json

import pytest
import torch
from support.dassl_repositories import DATASET, INTERRUPT, trainer_source

from mvlpt.io import read_tensors

UNLABELLED = """
from dassl.engine import TrainerXU


@TRAINER_REGISTRY.register()
class Both(TrainerXU):
    build_model, model_inference = Base.build_model, Base.model_inference

    def forward_backward(self, batch_x, batch_u):
        maybe_interrupt(self)
        image, label, other = self.parse_batch_train(batch_x, batch_u)
        loss = F.cross_entropy(self.model_inference(image), label)
        loss = loss + 0.1 * torch.special.entr(self.model_inference(other).softmax(dim=1)).sum(dim=1).mean()
        self.model_backward_and_update(loss)
        if (self.batch_idx + 1) == self.num_batches:
            self.update_lr()
        return {"loss": loss.item()}
"""


@pytest.mark.parametrize("count", ["train_x", "train_u", "smaller_one"])
def test_labelled_and_unlabelled_batches(count, tmp_path, train, monkeypatch):
    monkeypatch.setenv("MVLPT_PROGRESS_FILE", str(tmp_path / "progress.json"))
    data = DATASET.replace("NAME", "Colours").replace("train_x=train, val", "train_x=train[:6], train_u=train, val")
    file = tmp_path / "both.py"
    file.write_text(trainer_source("Base", head=INTERRUPT) + UNLABELLED + data)
    options = {"TRAIN__COUNT_ITER": count, "DATALOADER__TRAIN_X__SAMPLER": "RandomSampler"}
    assert train(file, "Both", "Colours", run="stopped", **options) == 130
    (tmp_path / "calm").touch()
    assert train(file, "Both", "Colours", "--resume", run="stopped", **options) == 0
    assert train(file, "Both", "Colours", run="whole", **options) == 0
    states = [read_tensors(tmp_path / run / "linear" / "model.pth.tar-3")["state_dict"] for run in ("stopped", "whole")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert progress["done"] == progress["total"] == 3 * (4 if count == "train_u" else 3)


def test_without_unlabelled_images_nothing_is_begun(tmp_path, train, capsys):
    file = tmp_path / "both.py"
    file.write_text(trainer_source("Base", head=INTERRUPT) + UNLABELLED + DATASET.replace("NAME", "Colours"))
    assert train(file, "Both", "Colours") == 2
    assert "Both needs unlabelled training images" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_hook_may_make_the_unlabelled_batches(tmp_path, train):
    hook = "    def before_epoch(self):\n        self.train_loader_u = self.train_loader_x\n"
    file = tmp_path / "both.py"
    data = DATASET.replace("NAME", "Colours")
    file.write_text(
        trainer_source("Base", head=INTERRUPT.replace("os.kill", "(lambda *_: None)")) + UNLABELLED + hook + data
    )
    assert train(file, "Both", "Colours", OPTIM__MAX_EPOCH=1) == 0
