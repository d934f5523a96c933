"""A run that is stopped or killed anywhere and resumed ends in the same prompt, bit for bit, as an unbroken one."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.stopping import ctrl_c_after
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import SimpleTrainer, load_checkpoint, run_config
from mvlpt.engine.registries import build_trainer
from mvlpt.engine.resume import load_resume_state, random_state, save_resume_state, set_random_state
from mvlpt.errors import CheckpointError, RunFolderError
from mvlpt.runtime import Interrupted
from mvlpt.trainers import PromptTrainer

EPOCHS, TASKS = 3, "toy-warm,toy-cold"
OPTIONS = {"DATASET__DATASET": TASKS, "OPTIM__MAX_EPOCH": EPOCHS, "TEST__FINAL_MODEL": "best_val"}


def frozen(folder, **options):
    cfg = toy_config(folder, **{**OPTIONS, **options})
    cfg.freeze()
    return cfg


def outcome(folder):
    """Everything that must be equal: the last and best weights, the exported prompt, the results."""
    last = torch.load(folder / "prompt_learner" / f"model.pth.tar-{EPOCHS}", weights_only=True)
    best = torch.load(folder / "prompt_learner" / "model-best.pth.tar", weights_only=True)
    tensors = {f"{n}/{k}": v for n, c in (("last", last), ("best", best)) for k, v in c["state_dict"].items()}
    momentum = [v for s in last["optimizer"]["state"].values() for v in s.values() if isinstance(v, torch.Tensor)]
    rest = (
        best["epoch"],
        best["val_result"],
        (folder / "results.jsonl").read_text(),
        (folder / "prompt.safetensors").read_bytes(),
    )
    return tensors, momentum, rest


def assert_same(one, other):
    assert one[0].keys() == other[0].keys()
    assert all(torch.equal(one[0][key], other[0][key]) for key in one[0])
    assert all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    assert one[2] == other[2]


@pytest.fixture(scope="module")
def unbroken(toy_tasks, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("unbroken")
    run_config(frozen(folder))
    return outcome(folder)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_stopped_between_two_steps(toy_tasks, unbroken, tmp_path, steps):
    """Two batches an epoch: stops in the middle and at the end of epochs."""
    with ctrl_c_after(steps), pytest.raises(Interrupted):
        run_config(frozen(tmp_path))
    assert '"state": "interrupted"' in (tmp_path / "run.json").read_text()
    assert not (tmp_path / "results.jsonl").exists()
    torch.manual_seed(12345)  # another process would start elsewhere
    run_config(frozen(tmp_path, RESUME=str(tmp_path)))
    assert_same(outcome(tmp_path), unbroken)
    assert not (tmp_path / "resume.pth.tar").exists()


def test_stopped_in_the_test(toy_tasks, unbroken, tmp_path, monkeypatch):
    export = PromptTrainer.export_model
    monkeypatch.setattr(PromptTrainer, "export_model", lambda self: (export(self), os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted, match="Stopped in the test after 0 images"):
        run_config(frozen(tmp_path))
    monkeypatch.undo()
    assert '"state": "interrupted"' in (tmp_path / "run.json").read_text()
    run_config(frozen(tmp_path, RESUME=str(tmp_path)))
    assert_same(outcome(tmp_path), unbroken)


@pytest.mark.parametrize("final", ["last_step", "best_val"])
@pytest.mark.parametrize("place", ["same", "other"])
def test_a_run_whose_test_was_stopped_repeats_the_test_alone(toy_tasks, tmp_path, monkeypatch, final, place):
    run_config(frozen(tmp_path / "whole", TEST__FINAL_MODEL=final))
    begin = SimpleTrainer.begin_epoch
    begun = []
    monkeypatch.setattr(SimpleTrainer, "begin_epoch", lambda self: (begun.append(self.epoch), begin(self))[1])
    with monkeypatch.context() as stopping:
        stopping.setattr(PromptTrainer, "export_model", lambda self: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(Interrupted, match="Stopped in the test"):
            run_config(frozen(tmp_path / "same", TEST__FINAL_MODEL=final, RUN__SAVE_EVERY=0))
    assert begun == [0, 1, 2]
    run_config(frozen(tmp_path / place, TEST__FINAL_MODEL=final, RESUME=str(tmp_path / "same")))
    assert begun == [0, 1, 2]
    names = ["prompt.safetensors", "results.jsonl"]
    assert [(tmp_path / place / name).read_bytes() for name in names] == [
        (tmp_path / "whole" / name).read_bytes() for name in names
    ]
    models = [
        load_checkpoint(tmp_path / where / "prompt_learner" / f"model.pth.tar-{EPOCHS}") for where in (place, "whole")
    ]
    assert models[0]["epoch"] == models[1]["epoch"] == EPOCHS
    assert torch.equal(*(model["state_dict"]["ctx"] for model in models))


def test_a_run_that_goes_on_in_another_folder_takes_its_best_model_along(toy_tasks, tmp_path, monkeypatch):
    test = SimpleTrainer.test
    falling = lambda self, split=None: 90.0 - self.epoch if split == "val" else test(self, split)  # noqa: E731
    monkeypatch.setattr(SimpleTrainer, "test", falling)
    with ctrl_c_after(3), pytest.raises(Interrupted):
        run_config(frozen(tmp_path / "one", OPTIM__MAX_EPOCH=2))
    (row, _) = run_config(frozen(tmp_path / "two", OPTIM__MAX_EPOCH=2, RESUME=str(tmp_path / "one"))).rows
    assert row["epoch"] == 1
    best, last = (
        load_checkpoint(tmp_path / "two" / "prompt_learner" / name)
        for name in ("model-best.pth.tar", "model.pth.tar-2")
    )
    exported = load_file(tmp_path / "two" / "prompt.safetensors")["ctx"]
    assert torch.equal(exported, best["state_dict"]["ctx"])
    assert not torch.equal(exported, last["state_dict"]["ctx"])


KILLED = """
import json, os, signal, sys
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
import mvlpt.trainers
from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.datasets.embedded import embedded_names, embedded_task
from mvlpt.engine import simple_trainer
from mvlpt.engine import run_config
from pathlib import Path
from support.toy import toy_config
root = Path({root!r})
DATASET_REGISTRY.register_family(lambda: embedded_names(root), lambda name: embedded_task(name, root))
def run(folder, place, count):
    original = getattr(simple_trainer.SimpleTrainer, place)
    def killed(self, *args, **kwargs):
        nonlocal count
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *args, **kwargs)
    setattr(simple_trainer.SimpleTrainer, place, killed)
    cfg = toy_config(Path(folder), RUN__SAVE_EVERY=0, **{options!r})
    cfg.freeze()
    run_config(cfg)
statuses = []
for folder, place, count in {places!r}:  # each in a process of its own, which begins where this one is
    if not (child := os.fork()):
        run(folder, place, count)
        os._exit(0)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(statuses))
"""
PLACES = [("after_step", 1), ("save_resume", 2), ("after_step", 6), ("after_train", 1)]


@pytest.fixture(scope="module")
def killed(toy_tasks, tmp_path_factory):
    """The folder that a run left which was killed at a place, and how its process ended."""
    folders = [str(tmp_path_factory.mktemp("killed")) for _ in PLACES]
    places = [(folder, *place) for folder, place in zip(folders, PLACES, strict=True)]
    names = {"tests": str(Path(__file__).parents[1]), "root": str(toy_tasks), "options": OPTIONS, "places": places}
    done = subprocess.run([sys.executable, "-c", KILLED.format(**names)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ended = zip(folders, json.loads(done.stdout.splitlines()[-1]), strict=True)
    return dict(zip(PLACES, ended, strict=True))


@pytest.mark.parametrize("place", PLACES)
def test_killed_without_warning(toy_tasks, unbroken, killed, place):
    folder, status = killed[place]
    assert status == -signal.SIGKILL
    with pytest.raises(RunFolderError, match="add --resume to continue"):
        run_config(frozen(folder))
    run_config(frozen(folder, RESUME=folder))
    assert_same(outcome(Path(folder)), unbroken)


def test_a_second_run_repeats_nothing_and_reports(toy_tasks, tmp_path):
    first = run_config(frozen(tmp_path))
    stamp = (tmp_path / "run.json").stat().st_mtime_ns
    second = run_config(frozen(tmp_path))
    assert second.was_finished
    assert second.rows == first.rows
    assert (tmp_path / "run.json").stat().st_mtime_ns == stamp


def test_another_run_in_the_folder_is_refused_with_the_difference(toy_tasks, tmp_path):
    run_config(frozen(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunFolderError, match=r"OPTIM\.LR: 0\.005 there, 0\.1 here"):
        run_config(frozen(tmp_path, OPTIM__LR=0.1))
    with pytest.raises(RunFolderError, match=r"OPTIM\.LR"):
        run_config(frozen(tmp_path, OPTIM__LR=0.1, RESUME=str(tmp_path)))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_same_command_gives_the_same_prompt(toy_tasks, unbroken, tmp_path):
    torch.manual_seed(99)
    run_config(frozen(tmp_path))
    assert_same(outcome(tmp_path), unbroken)


def test_a_state_of_other_options_or_a_broken_one_is_refused(toy_tasks, tmp_path):
    trainer = build_trainer(frozen(tmp_path))
    trainer.save_resume(1, 0)
    other = build_trainer(frozen(tmp_path, OPTIM__LR=0.1))
    with pytest.raises(CheckpointError, match="other options"):
        other.resume_model_if_exist(tmp_path)
    (tmp_path / "resume.pth.tar").write_bytes(b"broken")
    with pytest.raises(CheckpointError, match=r"resume\.pth\.tar is not a readable checkpoint"):
        trainer.resume_model_if_exist(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "of version 2, but this program reads version 1"),
        ({"models": [1]}, "models missing or of the wrong kind"),
        ({"identity": None, "best": None}, "identity, best missing or of the wrong kind"),
        ({"best": []}, "best missing or of the wrong kind"),
        ({"epoch": -1, "next_batch": True}, "epoch, next_batch missing or of the wrong kind"),
    ],
)
def test_a_state_with_other_content_is_refused(tmp_path, change, says):
    save_resume_state(tmp_path, {"identity": "x", "epoch": 1, "next_batch": 0, "best": [0.0, 0], "models": {}})
    assert load_resume_state(tmp_path)["epoch"] == 1
    state = torch.load(tmp_path / "resume.pth.tar", weights_only=True)
    torch.save({**state, **change}, tmp_path / "resume.pth.tar")
    with pytest.raises(CheckpointError, match=f"{says}; delete it to start again"):
        load_resume_state(tmp_path)


def test_a_folder_without_a_run_is_named_where_it_is_not_the_runs_own(toy_tasks, tmp_path, caplog):
    trainer = build_trainer(frozen(tmp_path / "run"))
    for folder, said in (("run", False), ("runn", True)):
        with caplog.at_level("WARNING", logger="mvlpt.engine.run_state"):
            assert trainer.resume_model_if_exist(tmp_path / folder) == 0
        assert ("No saved state in" in caplog.text) == said


def test_a_state_whose_parts_fit_nothing_is_refused_in_one_sentence(toy_tasks, tmp_path):
    trainer = build_trainer(frozen(tmp_path))
    trainer.save_resume(1, 0)
    state = torch.load(tmp_path / "resume.pth.tar", weights_only=True)
    model = state["models"]["prompt_learner"]
    damaged = [
        {"own": [1]},
        {"own": [[[], ["scalar", 1]]]},
        {"own": [[["a"], "x"]]},
        {"models": {"prompt_learner": []}},
    ]
    damaged += [{"models": {"prompt_learner": {**model, part: {"a": 1}}}} for part in ("optimizer", "scheduler")]
    for change in damaged:
        torch.save({**state, **change}, tmp_path / "resume.pth.tar")
        with pytest.raises(CheckpointError, match=r"resume\.pth\.tar is damaged \(.*; delete it to start again"):
            trainer.resume_model_if_exist(tmp_path)
    torch.save({**state, "models": {}}, tmp_path / "resume.pth.tar")
    with pytest.raises(CheckpointError, match="holds no model, but this trainer trains prompt_learner;"):
        trainer.resume_model_if_exist(tmp_path)


@pytest.mark.parametrize("part", ["python", "numpy", "torch", "cuda"])
def test_random_states_of_another_form_are_refused(part):
    before = random_state()
    wanted = [random.random(), float(np.random.rand()), torch.rand(1).item()]
    with pytest.raises(CheckpointError, match="random states cannot be used"):
        set_random_state({key: value for key, value in before.items() if key != part})
    set_random_state(before)
    assert [random.random(), float(np.random.rand()), torch.rand(1).item()] == wanted


def test_without_a_state_a_run_goes_on_from_the_last_checkpoint_that_can_be_read(toy_tasks, tmp_path):
    run_config(frozen(tmp_path, TRAIN__CHECKPOINT_FREQ=1))
    folder = tmp_path / "prompt_learner"
    numbered = sorted(int(path.name.rsplit("-", 1)[1]) for path in folder.glob("model.pth.tar-*"))
    last = folder / f"model.pth.tar-{numbered[-1]}"
    expected = torch.load(last, weights_only=True)["state_dict"]["ctx"]
    record = json.loads((tmp_path / "run.json").read_text())
    unfinished = json.dumps({**record, "state": "failed"})
    (tmp_path / "run.json").write_text(unfinished)
    (folder / "checkpoint").unlink()  # all epochs are done: only the test is left
    run_config(frozen(tmp_path, RESUME=str(tmp_path), TRAIN__CHECKPOINT_FREQ=1))
    assert "only the test is left" in (tmp_path / "log.txt").read_text()
    assert torch.equal(torch.load(last, weights_only=True)["state_dict"]["ctx"], expected)
    (tmp_path / "run.json").write_text(unfinished)
    last.write_bytes(last.read_bytes()[:200])
    run_config(frozen(tmp_path, RESUME=str(tmp_path), TRAIN__CHECKPOINT_FREQ=1))
    said = (tmp_path / "log.txt").read_text()
    assert "an earlier checkpoint is tried" in said
    assert f"Going on in epoch {numbered[-1]} from the checkpoints" in said
    assert torch.load(last, weights_only=True)["epoch"] == numbered[-1]


def test_other_tables_make_no_other_run_but_a_finished_one_says_how_to_get_them(toy_tasks, tmp_path):
    run_config(frozen(tmp_path))
    assert run_config(frozen(tmp_path, DATASET__ON_BAD_IMAGE="skip")).was_finished
    with pytest.raises(
        RunFolderError, match=r"finished without TEST\.PREDICTIONS; evaluate its prompt with --eval-only"
    ):
        run_config(frozen(tmp_path, TEST__PREDICTIONS=True))
