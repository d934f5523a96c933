"""Checkpoints: Dassl's layout, whole files, and old or hostile files that run nothing."""

import os
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch

from mvlpt.engine.checkpoints import find_checkpoint, last_checkpoint, load_checkpoint, save_checkpoint
from mvlpt.errors import CheckpointError

STATE = {"ctx": torch.arange(6.0).view(2, 3)}


def full(state=STATE, epoch=3, **more):
    return {"state_dict": state, "epoch": epoch, "optimizer": None, "scheduler": None, "val_result": None, **more}


def test_layout_and_weights_only(tmp_path):
    path = save_checkpoint(full({"module.ctx": STATE["ctx"]}), tmp_path / "prompt_learner")
    assert path == tmp_path / "prompt_learner" / "model.pth.tar-3"
    assert (tmp_path / "prompt_learner" / "checkpoint").read_text().strip() == "model.pth.tar-3"
    loaded = torch.load(path, weights_only=True)
    assert set(loaded) == {"state_dict", "epoch", "optimizer", "scheduler", "val_result"}
    assert list(loaded["state_dict"]) == ["ctx"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_best_and_last_are_kept_apart(tmp_path):
    folder = tmp_path / "prompt_learner"
    save_checkpoint(full(epoch=1), folder, model_name="model-best.pth.tar")
    assert not (folder / "checkpoint").exists()
    save_checkpoint(full(epoch=2), folder)
    assert find_checkpoint(tmp_path, "prompt_learner").name == "model-best.pth.tar"
    assert find_checkpoint(tmp_path, "prompt_learner", 2).name == "model.pth.tar-2"
    (folder / "model-best.pth.tar").unlink()
    assert find_checkpoint(tmp_path, "prompt_learner").name == "model.pth.tar-2"
    with pytest.raises(CheckpointError, match=r"of epoch 7 .* that folder has model\.pth\.tar-2"):
        find_checkpoint(tmp_path, "prompt_learner", 7)
    with pytest.raises(CheckpointError, match="name the output folder of a run"):
        find_checkpoint(tmp_path / "nowhere", "prompt_learner")


def test_a_pointer_never_leads_out_of_its_folder(tmp_path):
    folder = tmp_path / "run" / "prompt_learner"
    save_checkpoint(full(), folder)
    save_checkpoint(full(), tmp_path / "run")
    (folder / "checkpoint").write_text("../model.pth.tar-3")
    assert find_checkpoint(tmp_path / "run", "prompt_learner").parent == folder


def test_old_dassl_files_are_read_without_running_them(tmp_path):
    """A scheduler with an optimiser inside, a defaultdict and a NumPy scalar: refused by weights_only."""
    weight = torch.nn.Parameter(torch.zeros(2))
    optim = torch.optim.SGD([weight], lr=0.1)
    scheduler = {"successor": torch.optim.lr_scheduler.CosineAnnealingLR(optim, 5), "last_epoch": 3}
    content = full(OrderedDict(STATE), scheduler=scheduler, val_result=np.float64(71.5), extra=defaultdict(list))
    content["optimizer"] = optim.state_dict()
    path = tmp_path / "model.pth.tar-3"
    torch.save(content, path)
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        torch.load(path, weights_only=True)
    loaded = load_checkpoint(path)
    assert torch.equal(loaded["state_dict"]["ctx"], STATE["ctx"])
    assert loaded["val_result"] == 71.5
    assert loaded["epoch"] == 3
    assert loaded["optimizer"]["param_groups"][0]["lr"] == 0.1
    assert type(loaded["scheduler"]["successor"]).__name__ == "Inert"


def test_the_oldest_file_format_is_read_too(tmp_path):
    path = tmp_path / "old.pth.tar"
    torch.save(full(val_result=np.float32(0.5)), path, _use_new_zipfile_serialization=False)
    loaded = load_checkpoint(path)
    assert loaded["val_result"] == 0.5
    assert torch.equal(loaded["state_dict"]["ctx"], STATE["ctx"])


class Hostile:
    """What a pickle from a stranger may hold."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_files_run_nothing(tmp_path, zipped):
    trace = tmp_path / "ran"
    path = tmp_path / "model.pth.tar-1"
    torch.save(full(extra=Hostile(f"touch {trace}")), path, _use_new_zipfile_serialization=zipped)
    loaded = load_checkpoint(path)
    assert torch.equal(loaded["state_dict"]["ctx"], STATE["ctx"])
    torch.save(full({"ctx": Hostile(f"touch {trace}")}), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="'ctx' in its state_dict is not a tensor"):
        load_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("spoil", ["missing", "empty", "text", "cut", "not a dict", "no state"])
def test_broken_files_are_one_sentence_with_their_name(tmp_path, spoil):
    path = tmp_path / "model.pth.tar-1"
    if spoil == "empty":
        path.touch()
    elif spoil == "text":
        path.write_text("hello")
    elif spoil == "cut":
        torch.save(full(), path)
        path.write_bytes(path.read_bytes()[:200])
    elif spoil == "not a dict":
        torch.save([1, 2], path)
    elif spoil == "no state":
        torch.save({"epoch": 1}, path)
    with pytest.raises(CheckpointError, match=r"model\.pth\.tar-1") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_values_that_are_not_finite_are_refused(tmp_path):
    path = save_checkpoint(full({"ctx": torch.tensor([1.0, float("nan")])}), tmp_path)
    with pytest.raises(CheckpointError, match="'ctx' holds values that are not finite"):
        load_checkpoint(path)


def test_a_pointer_from_elsewhere_is_bounded_and_stays_inside(tmp_path):
    assert last_checkpoint(tmp_path) is None
    (tmp_path / "checkpoint").write_text("/etc/passwd\n")
    assert last_checkpoint(tmp_path) == tmp_path / "passwd"
    (tmp_path / "checkpoint").write_text("\n")
    assert last_checkpoint(tmp_path).parent == tmp_path
    for content in (b"\xff\xfe", b"a" * 5000):
        (tmp_path / "checkpoint").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"checkpoint .*name the epoch to load"):
            last_checkpoint(tmp_path)
