"""How far it is from the command to the loss: a reader follows at most seven calls of ours."""

import traceback
from pathlib import Path

from mvlpt.cli import main
from mvlpt.trainers.prompt_trainer import PromptTrainer

ROOT = Path(__file__).resolve().parents[2]
OURS = ("mvlpt", "trainers", "datasets")


def test_seven_frames_from_the_command_to_the_loss(tmp_path, monkeypatch, capsys):
    seen = []
    losses = PromptTrainer.losses

    def spy(self, outputs, label):
        files = [Path(frame.filename) for frame in traceback.extract_stack()]
        inside = [file.relative_to(ROOT).parts for file in files if file.is_relative_to(ROOT)]
        seen.append([parts for parts in inside if parts[0] in OURS])
        return losses(self, outputs, label)

    monkeypatch.setattr(PromptTrainer, "losses", spy)
    command = [
        "train",
        "--trainer",
        "MVLPT-CoOp",
        "--backbone",
        "embedded",
        "--dataset",
        "weather-plain",
        "--shots",
        "1",
    ]
    options = ["INPUT.SIZE", "(48, 48)", "OPTIM.MAX_EPOCH", "1", "TEST.NO_TEST", "True"]
    assert main([*command, "--seed", "1", "--output-dir", str(tmp_path / "run"), *options]) == 0, (
        capsys.readouterr().err
    )
    assert seen
    assert {len(frames) for frames in seen} == {7}, seen[0]
