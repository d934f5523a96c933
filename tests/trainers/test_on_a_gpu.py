"""Every trainer on a real GPU: stopped and resumed, and with and without CUDA graphs, it ends in the same prompt."""

import contextlib
from pathlib import Path

import pytest

import mvlpt
from mvlpt.engine import TRAINER_REGISTRY

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
pytestmark = pytest.mark.gpu


@pytest.fixture(params=sorted(path.name for path in CONFIGS.iterdir() if path.is_dir()))
def trainer(request):
    return request.param


@pytest.fixture
def train(trainer, tmp_path):
    """Trains by six steps in a folder, unless a run there is finished; the scores, and the prompt's file."""

    def run(folder, **options):
        options = {"OPTIM.MAX_EPOCH": 6, "RUN.SAVE_EVERY": 0, **options}
        done = mvlpt.train(
            "weather-dark", trainer, "embedded", 2, 1, options=options, output_dir=tmp_path / folder, verbose=False
        )
        prompt = tmp_path / folder / "prompt.safetensors"
        return [row["value"] for row in done.results], prompt.read_bytes() if prompt.exists() else None

    return run


def test_a_stopped_run_ends_as_one_that_was_not(trainer, train, monkeypatch):
    whole = train("whole")
    after_epoch = TRAINER_REGISTRY.get(trainer).after_epoch

    def stop(self):
        after_epoch(self)
        if self.epoch == 2:
            raise KeyboardInterrupt

    # what trains nothing is not stopped
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(TRAINER_REGISTRY.get(trainer), "after_epoch", stop)
        train("stopped")
    assert train("stopped") == whole


def test_graphs_change_nothing(train):
    assert train("graphs") == train("launched", **{"TRAINER.CUDA_GRAPHS": False})


@pytest.mark.parametrize("precision", ["amp", "fp16", "bf16"])
def test_half_precision_runs(trainer, train, precision):
    section = getattr(TRAINER_REGISTRY.get(trainer), "section", "")
    if not section:
        pytest.skip(f"{trainer} has no option for it")
    scores, _ = train("half", **{f"TRAINER.{section}.PREC": precision})
    assert all(0 <= score <= 100 for score in scores)
