"""A run that keeps a share of its start: the mean of both ends, resumed exactly, refused where it has no meaning."""

import pytest
import torch
from safetensors.torch import load_file
from support.stopping import ctrl_c_after
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import run_config
from mvlpt.errors import ConfigError
from mvlpt.runtime import Interrupted


def run(folder, **options):
    cfg = toy_config(folder, **{"OPTIM__MAX_EPOCH": 2, **options})
    cfg.freeze()
    run_config(cfg)
    return load_file(folder / "prompt.safetensors")


@pytest.fixture(scope="module")
def ends(toy_tasks, tmp_path_factory):
    """The folder of a shared prompt, that prompt, and the one it is tuned to on one of its tasks."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ends")
    shared = run(folder / "shared", DATASET__DATASET="toy-warm,toy-cold")
    return folder / "shared", shared, run(folder / "adapted", RUN__INIT_FROM=str(folder / "shared"))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_final_prompt_is_the_weighted_mean_of_start_and_end(ends, tmp_path, share):
    start, before, after = ends
    found = run(tmp_path, RUN__INIT_FROM=str(start), RUN__START_SHARE=share)
    checkpoint = torch.load(tmp_path / "prompt_learner" / "model.pth.tar-2", weights_only=True)["state_dict"]
    assert any(not torch.equal(before[key], after[key]) for key in before)
    for key in before:
        expected = share * before[key].double() + (1 - share) * after[key].double()
        assert torch.allclose(found[key].double(), expected, atol=1e-7), key
        assert torch.equal(found[key], checkpoint[key]), key


def test_stopped_and_resumed_it_ends_the_same(ends, tmp_path):
    options = {"RUN__INIT_FROM": str(ends[0]), "RUN__START_SHARE": 0.5}
    unbroken = run(tmp_path / "unbroken", **options)
    with ctrl_c_after(1), pytest.raises(Interrupted):
        run(tmp_path / "stopped", **options)
    resumed = run(tmp_path / "stopped", RESUME=str(tmp_path / "stopped"), **options)
    assert all(torch.equal(unbroken[key], resumed[key]) for key in unbroken)


def test_without_a_start_or_with_the_best_epoch_it_is_refused(ends, tmp_path):
    with pytest.raises(ConfigError, match=r"starts from no prompt; give --model-dir"):
        run(tmp_path, RUN__START_SHARE=0.5)
    with pytest.raises(ConfigError, match=r"set TEST\.FINAL_MODEL last_step"):
        run(tmp_path, RUN__START_SHARE=0.5, RUN__INIT_FROM=str(ends[0]), TEST__FINAL_MODEL="best_val")
    with pytest.raises(ConfigError, match=r"RUN\.START_SHARE is 1\.5, but must be at most 1"):
        run(tmp_path, RUN__START_SHARE=1.5, RUN__INIT_FROM=str(ends[0]))
    assert not list(tmp_path.iterdir())
