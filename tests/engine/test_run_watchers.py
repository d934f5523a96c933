"""Who follows a run: the table of epochs, and loggers by name, of which none can end the run."""

import multiprocessing
import sys
import types

import pytest
from support.registries import restored_registries
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401  (registers the trainers)
from mvlpt.engine import run_config
from mvlpt.engine.loggers import LOGGER_REGISTRY, RunLogger, check_loggers
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import MissingExtraError, UnknownNameError
from mvlpt.runtime import setup_logging


@pytest.fixture
def recorder():
    """A logger that a plugin registers, and all that it was given."""
    calls = []

    class Recorder(RunLogger):
        def open(self, folder, options):
            calls.append(("open", folder.name, options["OPTIM.MAX_EPOCH"]))

        def epoch(self, values, epoch):
            calls.append(("epoch", epoch, values))

        def scores(self, values):
            calls.append(("scores", values))

        def close(self, finished):
            calls.append(("close", finished))

    with restored_registries():
        LOGGER_REGISTRY.register(Recorder, name="recorder")
        yield calls


@pytest.fixture(scope="module", autouse=True)
def clean_registry():
    before = dict(LOGGER_REGISTRY._entries)
    yield
    LOGGER_REGISTRY._entries.clear()
    LOGGER_REGISTRY._entries.update(before)


def test_every_epoch_is_a_line(toy_tasks, tmp_path, capfd):
    run_config(toy_config(tmp_path / "run", VERBOSE=True, TEST__FINAL_MODEL="best_val"))
    lines = capfd.readouterr().err.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("epoch"))
    assert "val %" in lines[at]
    assert [line.split()[0] for line in lines[at + 1 : at + 4]] == ["1/3", "2/3", "3/3"]
    assert all(len(line) < 80 for line in lines[at : at + 4])
    assert "-" not in lines[at + 1].split()  # validated


def test_tasks_have_lines_of_their_own(toy_tasks, tmp_path, capfd):
    run_config(toy_config(tmp_path / "run", VERBOSE=True, DATASET__DATASET="toy-warm,toy-cold"))
    lines = capfd.readouterr().err.splitlines()
    assert sum(line.startswith("  toy-cold") for line in lines) == 2  # of the first and the last epoch, which are near
    assert "val %" not in "".join(lines)


def test_nothing_is_shown_where_that_is_asked_for(toy_tasks, tmp_path, capfd):
    setup_logging(verbose=False)  # as the command does; an earlier test may have asked for more
    run_config(toy_config(tmp_path / "run"))
    assert capfd.readouterr().err == ""


def test_a_logger_of_a_plugin_follows_the_run(toy_tasks, tmp_path, recorder):
    run_config(toy_config(tmp_path / "run", RUN__LOGGER="csv,recorder", DATASET__DATASET="toy-warm,toy-cold"))
    assert recorder[0] == ("open", "run", 3)
    assert [call[1] for call in recorder if call[0] == "epoch"] == [1, 2, 3]
    assert {"loss", "train_accuracy", "lr", "toy-cold/loss"} <= set(recorder[1][2])
    assert "val_accuracy" not in recorder[1][2]
    assert set(recorder[-2][1]) == {"test/toy-warm/accuracy", "test/toy-cold/accuracy"}
    assert recorder[-1] == ("close", True)


@pytest.mark.parametrize("hook", ["__init__", "open", "epoch", "scores", "close"])
def test_a_logger_that_fails_ends_no_run(toy_tasks, tmp_path, hook, caplog):
    def fail(*args):
        raise OSError("no network")

    broken = type("Broken", (RunLogger,), {hook: fail})  # it defines this hook alone
    LOGGER_REGISTRY.register(broken, force=True, name="broken")
    outcome = run_config(toy_config(tmp_path / "run", RUN__LOGGER="broken"))
    assert outcome.rows
    assert "The logger 'broken' failed (OSError: no network) and is left out" in (tmp_path / "run/log.txt").read_text()


def test_unknown_and_missing_loggers_are_refused_before_anything_is_written(toy_tasks, tmp_path):
    with pytest.raises(UnknownNameError, match="No logger is named 'wandbb'; did you mean 'wandb'"):
        run_config(toy_config(tmp_path / "run", RUN__LOGGER="csv,wandbb"))
    missing = type("Missing", (RunLogger,), {"package": "no_such_package_here"})
    LOGGER_REGISTRY.register(missing, force=True, name="missing")
    with pytest.raises(MissingExtraError, match="pip install no_such_package_here"):
        check_loggers(("csv", "missing"))
    assert not (tmp_path / "run").exists()


def test_weights_and_biases_and_mlflow_are_called_by_their_interfaces(toy_tasks, tmp_path, monkeypatch):
    seen = []
    run = types.SimpleNamespace(
        log=lambda values, step: seen.append(("wandb", step, values["loss"])),
        summary={},
        finish=lambda exit_code: seen.append(("finish", exit_code)),
    )
    wandb = types.ModuleType("wandb")
    wandb.init = lambda **options: seen.append(("init", options["project"], options["dir"])) or run
    mlflow = types.ModuleType("mlflow")
    mlflow.set_experiment = lambda name: seen.append(("experiment", name))
    mlflow.start_run = lambda run_name: None
    mlflow.log_params = lambda values: seen.append(("params", values["SEED"]))
    mlflow.log_metrics = lambda values, step=None: seen.append(("mlflow", step, sorted(values)[0]))
    mlflow.end_run = lambda status: seen.append(("end", status))
    for module in (wandb, mlflow):
        module.__spec__ = types.SimpleNamespace(name=module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    run_config(toy_config(tmp_path / "run", RUN__LOGGER="wandb,mlflow", OPTIM__MAX_EPOCH=1))
    kinds = [call[0] for call in seen]
    assert kinds == ["init", "experiment", "params", "wandb", "mlflow", "mlflow", "finish", "end"]
    assert seen[0][1:] == ("mvlpt", str(tmp_path / "run"))
    assert run.summary.keys() == {"test/toy-warm/accuracy"}


def test_too_many_workers_are_mentioned_once(toy_tasks, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("mvlpt.data.loading.workers._warned", set())
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0}, raising=False)
    run_config(toy_config(tmp_path / "run", DATALOADER__NUM_WORKERS=2, OPTIM__MAX_EPOCH=1))
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("DATALOADER.NUM_WORKERS is 2, but this process has 1 CPU core;") == 1


def test_no_process_that_reads_images_outlives_its_run(toy_tasks, tmp_path, monkeypatch):
    """Python's collector, which would end them at some time later, would wait for 5 seconds for each."""
    kept = []  # as anything may keep a trainer
    monkeypatch.setattr("mvlpt.engine.run.build_trainer", lambda cfg: kept.append(build_trainer(cfg)) or kept[0])
    before = set(multiprocessing.active_children())
    options = {"TRAINER__NAME": "MVLPT-VPT", "DATALOADER__NUM_WORKERS": 2, "OPTIM__MAX_EPOCH": 2}
    run_config(toy_config(tmp_path / "run", **options))
    assert kept[0].train_loader_x.num_workers == 2
    assert set(multiprocessing.active_children()) <= before
