"""One server for all attacks, and a folder with a finished run that they may spoil."""

from __future__ import annotations

import shutil

import pytest
from support.attacks import Server


@pytest.fixture(scope="session")
def attack_server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def finished_run(attack_server, tmp_path_factory):
    """The folder of a short run of MVLPT-CoOp on an embedded task."""
    folder = tmp_path_factory.mktemp("run")
    words = [
        "train", "--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "weather-plain",
        "--shots", 1, "--seed", 1, "--quiet", "--output-dir", folder / "run", "OPTIM.MAX_EPOCH", 1,
    ]  # fmt: skip
    outcome = attack_server.run(words, folder, seconds=120)
    assert outcome.status == 0, outcome
    return folder / "run"


@pytest.fixture
def spoiled_run(finished_run, tmp_path):
    """A copy of the run."""
    return shutil.copytree(finished_run, tmp_path / "run")


@pytest.fixture(scope="session")
def kept_features(attack_server, tmp_path_factory):
    """A folder of image features, and the score of the run that kept them."""
    folder = tmp_path_factory.mktemp("features")
    words = [
        "train", "--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "weather-plain",
        "--shots", 1, "--seed", 1, "--quiet", "--output-dir", folder / "run", "OPTIM.MAX_EPOCH", 1,
        "DATALOADER.FEATURE_DIR", folder / "features",
    ]  # fmt: skip
    outcome = attack_server.run(words, folder, seconds=120)
    assert outcome.status == 0, outcome
    row = next(line for line in outcome.out.splitlines() if "weather-plain" in line)
    return folder / "features", row.split("│")[4].strip()
