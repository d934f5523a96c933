"""Baselines of an experiment: which trainers they are, that they keep their own way of training, what is refused."""

import pytest

from mvlpt.errors import ConfigError
from mvlpt.experiment import Experiment
from mvlpt.experiment.arms import planned_runs
from mvlpt.experiment.configurations import Configurations

VPT = "configs/trainers/MVLPT-VPT/embedded.yaml"
FAST = {"kNN", "TipAdapter", "TipAdapter-F", "LP++", "CLAP", "TaskRes", "CrossModalProbe"}


def experiment(**changes):
    options = {"OPTIM.MAX_EPOCH": 3, "DATASET.SUBSAMPLE_CLASSES": "base"}
    fields = {"tasks": ("weather-dark", "tools-dark"), "trainers": (VPT,), "seeds": (1, 2), "options": options}
    return Experiment(**{**fields, **changes})


def test_fast_baselines_are_the_heads_with_every_task_alone():
    runs = list(planned_runs(experiment(baselines=("fast",), arms=("all",))))
    heads = [run for run in runs if run.trainer != VPT]
    assert {run.name.split("/")[0] for run in heads} == FAST
    assert len(heads) == len(FAST) * 2 * 2  # tasks, seeds
    assert all(run.arm == "single" and len(run.tasks) == 1 for run in heads)
    assert [run.arm for run in runs if run.trainer == VPT] == ["all", "all"]


@pytest.mark.parametrize(
    "changes",
    [{"arms": ("grouped", "adapted")}, {"arms": ("transfer",), "sources": ("files-dark",), "source_shots": 4}],
)
def test_they_stand_beside_arms_that_go_on_from_other_prompts(changes):
    compared = experiment(baselines=("fast",), **changes)
    assert compared.as_baseline(compared.baselines[0]).arms == ("single",)
    Configurations(compared).check()


def test_the_experiments_options_of_training_are_not_theirs():
    compared = experiment(baselines=("fast",))
    configurations = Configurations(compared)
    configurations.check()
    found = {}
    for run in planned_runs(compared):
        found[run.trainer.split("/")[2]] = configurations.of_run(run, {})
    assert found["MVLPT-VPT"].OPTIM.MAX_EPOCH == 3
    assert found["LP++"].OPTIM.MAX_EPOCH == 300
    assert all(cfg.DATASET.SUBSAMPLE_CLASSES == "base" for cfg in found.values())


def test_a_trainer_is_no_baseline_of_itself_and_other_files_may_be_named():
    lp = "configs/trainers/LP++/embedded.yaml"
    probe = "configs/trainers/LinearProbe/embedded.yaml"
    compared = experiment(trainers=(lp,), baselines=("fast", probe))
    assert lp not in compared.baselines
    assert compared.baselines[-1] == probe
    assert (
        experiment(trainers=("configs/trainers/CoOp/vit_b16.yaml",), baselines=("fast",))
        .baselines[0]
        .endswith("vit_b16.yaml")
    )


def test_a_baseline_that_is_no_file_is_refused_before_anything_runs():
    compared = experiment(baselines=("configs/trainers/Nothing/embedded.yaml",))
    with pytest.raises(ConfigError, match="Nothing"):
        Configurations(compared).check()


def test_without_baselines_nothing_changes():
    assert [run.trainer for run in planned_runs(experiment(arms=("all",)))] == [VPT, VPT]
