"""Experiment files: what they may say, and the mistakes that are named, all at once."""

from pathlib import Path

import pytest
import yaml

from mvlpt.errors import ConfigError
from mvlpt.experiment import Experiment, load_experiment

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")


def write(path, **changes):
    """An experiment over two toy tasks; a key that is ``None`` is left out."""
    content = {"tasks": ["toy-warm", "toy-cold"], "trainers": [CONFIG], "seeds": [1, 2], "shots": [1], **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


MISTAKES = {
    "unknown key": ({"task": ["a"]}, "unknown key 'task'; did you mean 'tasks'"),
    "a number for a list": ({"tasks": 3}, "tasks takes a list, not 3"),
    "no task": ({"tasks": []}, "tasks is empty"),
    "tasks missing": ({"tasks": None}, "does not say its tasks"),
    "trainers missing": ({"trainers": None}, "does not say its trainers"),
    "task twice": ({"tasks": ["a", "a"]}, "task 'a' is named twice"),
    "trainer twice": ({"trainers": [CONFIG, CONFIG]}, "named twice"),
    "two tasks in one": ({"tasks": ["a,b", "c"]}, "'a,b' holds a comma"),
    "arm": ({"arms": ["alone"]}, "arm 'alone' is unknown"),
    "arm of options": ({"arm_options": {"grouppd": {}}}, "arm 'grouppd' is unknown; did you mean 'grouped'"),
    "arm options": ({"arm_options": {"all": 3}}, "arm_options.all takes a mapping"),
    "seeds": ({"seeds": ["x"]}, "seeds must list whole numbers"),
    "negative seed": ({"seeds": [-1]}, "a seed is at least 0"),
    "seed twice": ({"seeds": [1, 1]}, "names a number twice"),
    "no shots": ({"shots": [0]}, "shots is [0]"),
    "true is no number": ({"shots": [True]}, "shots must list whole numbers"),
    "grouping key": ({"grouping": {"metod": "auto"}}, "unknown key 'grouping.metod'; did you mean 'method'"),
    "both kinds": ({"grouping": {"similarity": "visual", "affinity": "grad"}}, "a similarity and an affinity"),
    "no groups": ({"grouping": {"groups": 0}}, "grouping.groups is 0"),
    "backbone": ({"backbone": {"nane": "RN50"}}, "unknown key 'backbone.nane'; did you mean 'name'"),
    "backbone's type": ({"backbone": 3}, "backbone takes a name"),
    "slots": ({"executor": {"slots": 0}}, "executor.slots is 0"),
    "retries": ({"executor": {"retries": 1.5}}, "executor.retries is 1.5; give a whole number of at least 0"),
    "executor's name": ({"executor": {"name": ["ray"]}}, "executor.name is ['ray']; give a string, such as local"),
    "option's name": ({"options": {1: 2}}, "options names 1, which is no option"),
    "arm option's name": ({"arm_options": {"all": {True: 2}}}, "arm_options.all names True, which is no option"),
    "time limit": ({"executor": {"time_limit": 0}}, "executor.time_limit is 0; give a number above 0"),
    "pair of one": ({"tasks": ["a"], "arms": ["pair"]}, "arm pair needs at least two tasks"),
    "sources for nothing": ({"sources": ["a"]}, "nothing is transferred"),
    "adapted from": ({"arms": ["adapted"], "adapt_from": ["groupd"]}, "'groupd'; did you mean 'grouped'"),
    "adapted from a number": ({"arms": ["adapted"], "adapt_from": 1}, "adapt_from takes a list, not 1"),
    "adapted for nothing": ({"adapt_from": ["all"]}, "nothing is adapted; add adapted to arms"),
    "adapted alone": ({"tasks": ["a"], "arms": ["adapted"]}, "arm adapted needs at least two tasks"),
    "source prompts": ({"source_prompts": "apart"}, "source_prompts is 'apart'"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_named(tmp_path, kind):
    changes, expected = MISTAKES[kind]
    with pytest.raises(ConfigError) as caught:
        load_experiment(write(tmp_path / "e.yaml", **changes))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_adapted_arm_starts_from_the_arms_that_are_compared(tmp_path):
    def starts(**changes):
        return load_experiment(write(tmp_path / "e.yaml", **changes)).adapt_from

    assert starts(arms=["adapted", "single"]) == ("all",)
    assert starts(arms=["grouped", "adapted", "all"]) == ("all", "grouped")
    assert starts(arms=["all", "adapted"], adapt_from=["grouped"]) == ("grouped",)
    assert starts(arms=["all"]) == ()


def test_all_mistakes_are_reported_together(tmp_path):
    file = write(tmp_path / "e.yaml", seed=[1], arms=["alone"], shots=[0], tasks=["a", "a"])
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    for expected in ("e.yaml", "unknown key 'seed'", "arm 'alone'", "shots is [0]", "'a' is named twice"):
        assert expected in str(caught.value)


def test_options_of_a_run_are_no_experiment():
    with pytest.raises(ConfigError, match="holds options of a run, not an experiment"):
        load_experiment("MVLPT-CoOp/embedded")


def test_an_experiment_in_python_is_checked_too():
    with pytest.raises(ConfigError, match="arm 'alone' is unknown"):
        Experiment(tasks=("a",), arms=("alone",))


def test_what_shipped_first_still_loads(tmp_path):
    options = {"all": {"DATALOADER.TASK_BATCHES": "single"}}
    experiment = load_experiment(write(tmp_path / "e.yaml", arms=["single", "all"], arm_options=options, zero_shot="z"))
    assert experiment.tasks == ("toy-warm", "toy-cold")
    assert experiment.zero_shot == "z"
    assert experiment.arm_options == options
    assert experiment.overrides("all") == {"DATALOADER.TASK_BATCHES": "single"}
    assert experiment.overrides("single") == {}
    assert load_experiment(write(tmp_path / "e.yaml")).arms == ("single", "all")


def test_backbone_root_and_data_set_options_reach_every_run(tmp_path):
    file = write(
        tmp_path / "e.yaml",
        backbone={"name": "ViT-B/32", "pretrained": "openai"},
        root=str(tmp_path),
        dataset_options={"SAMPLING": "elevater", "DATASET.ON_BAD_IMAGE": "skip"},
        options={"DATASET.SAMPLING": "coop"},
    )
    expected = {
        "MODEL.BACKBONE.NAME": "ViT-B/32",
        "MODEL.BACKBONE.PRETRAINED": "openai",
        "DATASET.ROOT": str(tmp_path),
        "DATASET.SAMPLING": "coop",  # what is said of every run counts over what is said of data sets
        "DATASET.ON_BAD_IMAGE": "skip",
    }
    assert load_experiment(file).overrides("single") == expected
    assert load_experiment(write(tmp_path / "e.yaml", backbone="RN50")).overrides() == {"MODEL.BACKBONE.NAME": "RN50"}


def test_tasks_sources_and_targets_stand_in_for_each_other():
    both = Experiment(sources=("a", "b"), targets=("c",), arms=("transfer",))
    assert (both.tasks, both.sources, both.targets) == (("c",), ("a", "b"), ("c",))
    assert both.all_tasks == ("c", "a", "b")
    alone = Experiment(tasks=("a", "b"), arms=("transfer",))
    assert alone.sources == alone.targets == ("a", "b")


def test_two_files_of_one_trainer_get_folders_of_their_own():
    files = ("x/MVLPT-VPT/a.yaml", "x/MVLPT-VPT/b.yaml", "x/MVLPT-CoOp/a.yaml")
    names = Experiment(tasks=("a",), trainers=files).trainer_names()
    assert list(names.values()) == ["MVLPT-VPT-a", "MVLPT-VPT-b", "MVLPT-CoOp"]


@pytest.mark.parametrize("file", sorted((ROOT / "configs" / "experiments").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_experiment_loads(file):
    assert load_experiment(file).trainers
