"""Runs of Dassl go on here, its checkpoints load here and ours there, and scripts for its logs read ours."""

import re
import shutil

import pytest
import torch
from support.dassl_repositories import DATASET, trainer_source

from mvlpt.io import read_tensors


@pytest.fixture
def plain(tmp_path):
    file = tmp_path / "plain.py"
    file.write_text(trainer_source("Plain") + DATASET.replace("NAME", "Colours"))
    return file


def as_dassl_writes(source, target, epoch):
    """The checkpoint of an epoch as Dassl leaves it: with pickled schedulers, under ``checkpoint``."""
    state = read_tensors(source / f"model.pth.tar-{epoch}")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
    inner = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4.0)
    state["scheduler"] = {"successor": inner, "warmup_epoch": 1, "last_epoch": 1, "base_lrs": [0.05], "cons_lr": 1e-5}
    target.mkdir(parents=True)
    torch.save(state, target / f"model.pth.tar-{epoch}")
    (target / "checkpoint").write_text(f"model.pth.tar-{epoch}\n")


OPTIONS = {
    "OPTIM__MAX_EPOCH": 4,
    "OPTIM__NAME": "sgd",
    "OPTIM__LR_SCHEDULER": "cosine",
    "OPTIM__WARMUP_EPOCH": 1,
    "OPTIM__WARMUP_TYPE": "constant",
    "TRAIN__CHECKPOINT_FREQ": 2,
}


@pytest.mark.parametrize("same_folder", [False, True])
def test_a_run_of_dassl_goes_on_where_it_was(same_folder, plain, tmp_path, train, capsys):
    assert train(plain, "Plain", "Colours", run="whole", **OPTIONS) == 0
    as_dassl_writes(tmp_path / "whole" / "linear", tmp_path / "theirs" / "linear", 2)
    (tmp_path / "theirs" / "log.txt").write_text("a run of Dassl's\n")
    run = "theirs" if same_folder else "ours"
    words = ("--resume", tmp_path / "theirs")
    assert train(plain, "Plain", "Colours", *words, run=run, **OPTIONS) == 0
    assert "epoch 3" in capsys.readouterr().err
    states = [read_tensors(tmp_path / one / "linear" / "model.pth.tar-4") for one in ("whole", run)]
    assert all(
        torch.equal(states[0]["state_dict"][key], states[1]["state_dict"][key]) for key in states[0]["state_dict"]
    )
    assert states[0]["scheduler"] == states[1]["scheduler"]


def test_weights_without_an_epoch_are_not_gone_on_from(plain, tmp_path, train, capsys):
    assert train(plain, "Plain", "Colours", run="whole", OPTIM__MAX_EPOCH=1) == 0
    folder = tmp_path / "theirs" / "linear"
    folder.mkdir(parents=True)
    state = read_tensors(tmp_path / "whole" / "linear" / "model.pth.tar-1")["state_dict"]
    torch.save({"state_dict": state}, folder / "model.pth.tar-1")
    assert train(plain, "Plain", "Colours", "--resume", tmp_path / "theirs", run="ours") == 2
    assert "model.pth.tar-1 does not say after which epoch it was saved" in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_of_dassl_is_refused_without_resume(plain, tmp_path, train, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.txt").write_text("")
    assert train(plain, "Plain", "Colours") == 2
    assert "--resume" in capsys.readouterr().err


def test_a_checkpoint_frequency_of_minus_one_keeps_the_last_one_only(plain, tmp_path, train):
    assert train(plain, "Plain", "Colours", TRAIN__CHECKPOINT_FREQ=-1) == 0
    assert [file.name for file in sorted((tmp_path / "run" / "linear").glob("model*"))] == ["model.pth.tar-3"]


@pytest.mark.parametrize(("words", "end_signal"), [((), "Finish training"), (("--eval-only",), "=> result")])
def test_a_script_for_dassls_logs_reads_ours(words, end_signal, plain, tmp_path, train):
    assert train(plain, "Plain", "Colours", run="trained") == 0
    if words:
        words = (*words, "--model-dir", tmp_path / "trained")
        assert train(plain, "Plain", "Colours", *words) == 0
    else:
        shutil.move(tmp_path / "trained", tmp_path / "run")
    reading, found = False, {}
    for line in map(str.strip, (tmp_path / "run" / "log.txt").read_text().splitlines()):
        reading = reading or line == end_signal
        match = re.search(r"\* (\w+): ([\.\deE+-]+)%", line)
        if match and reading:
            found[match.group(1)] = float(match.group(2))
    assert set(found) == {"accuracy", "error", "macro_f1"}
    assert found["accuracy"] + found["error"] == pytest.approx(100)
