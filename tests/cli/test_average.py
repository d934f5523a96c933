"""``mvlpt average``: the mean of prompts, and starting it again."""

import json

import pytest
import torch

from mvlpt.cli import main
from mvlpt.engine.checkpoints import load_checkpoint, save_checkpoint


@pytest.fixture
def runs(tmp_path):
    """Folders of two runs whose prompts are 1 and 3 everywhere."""
    folders = []
    for value in (1.0, 3.0):
        folder = tmp_path / f"run{value:g}"
        save_checkpoint({"state_dict": {"ctx": torch.full((2, 4), value)}, "epoch": 5}, folder / "prompt_learner")
        folders.append(str(folder))
    return folders


def average(*words):
    return main(["average", *map(str, words)])


def test_the_mean_and_what_it_was_made_of(runs, tmp_path, capsys):
    assert average(*runs, "--output-dir", tmp_path / "mean") == 0
    assert "the mean of 2 prompts (8 values)" in capsys.readouterr().out.replace("\n", " ")
    mean = load_checkpoint(tmp_path / "mean" / "prompt_learner" / "model-best.pth.tar")
    torch.testing.assert_close(mean["state_dict"]["ctx"], torch.full((2, 4), 2.0))
    assert json.loads((tmp_path / "mean" / "average.json").read_text())["runs"] == runs


def test_again_it_is_refused_or_with_resume_reported(runs, tmp_path, capsys):
    line = [*runs, "--output-dir", tmp_path / "mean"]
    assert average(*line, "--resume") == 0  # a fresh folder begins from the beginning
    file = tmp_path / "mean" / "prompt_learner" / "model-best.pth.tar"
    stamp = file.stat().st_mtime_ns
    assert average(*line) == 2
    assert "holds a prompt already" in capsys.readouterr().err
    assert average(*line, "--resume") == 0
    assert "it was there already" in capsys.readouterr().out.replace("\n", " ")
    assert file.stat().st_mtime_ns == stamp


def test_the_mean_of_other_prompts_is_no_resumption(runs, tmp_path, capsys):
    assert average(*runs, "--output-dir", tmp_path / "mean") == 0
    save_checkpoint({"state_dict": {"ctx": torch.zeros(2, 4)}, "epoch": 6}, tmp_path / "run3" / "prompt_learner")
    assert average(*runs, "--output-dir", tmp_path / "mean", "--resume") == 2
    assert "holds another prompt, not the mean of these" in capsys.readouterr().err
    assert average(*runs, "--output-dir", tmp_path / "run1", "--resume") == 0  # a run's last, not a best, checkpoint


def test_it_goes_on_after_a_crash_before_the_mean_was_written(runs, tmp_path):
    assert average(*runs, "--output-dir", tmp_path / "mean") == 0
    (tmp_path / "mean" / "prompt_learner" / "model-best.pth.tar").unlink()
    assert average(*runs, "--output-dir", tmp_path / "mean", "--resume") == 0
    assert (tmp_path / "mean" / "prompt_learner" / "model-best.pth.tar").exists()
