"""The method ``choose``: estimates from runs on folds, a budget, ``choice.json``, and the arm ``chosen``."""

import json

import numpy as np
import pytest
from support.experiments import COOP, run_here, toy_experiment

from mvlpt.cli import main
from mvlpt.errors import ConfigError, PlanError
from mvlpt.experiment import JobsEnded, NothingToRun, build_plan, preview_experiment
from mvlpt.graph import Grouping
from mvlpt.graph.choice import read_choice

TASKS = ("toy-warm", "toy-cold", "toy-all")
pytestmark = pytest.mark.usefixtures("toy_tasks")


def experiment(**changes):
    own = {"tasks": TASKS, "arms": ("chosen",), "shots": (2,), "grouping": {"method": "choose", "budget": 1.0}}
    return toy_experiment(**{**own, **changes})


def run(root, **changes):
    return run_here(experiment(**changes), root)


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    root = tmp_path_factory.mktemp("choosing")
    return root, *run(root)


def test_every_task_is_served_by_what_was_chosen(finished):
    root, result, events = finished
    assert result.state == "finished"
    assert {(row["task"], row["arm"]) for row in result.rows} == {(task, "chosen") for task in TASKS}
    choice = read_choice(root / "graph" / "choice.json", TASKS)
    assert [one.task for one in choice.choices] == list(TASKS)
    assert all(one.reason.endswith(".") for one in choice.choices)
    assert {one.name for one in choice.candidates} >= {"single", "all", "adapted-all"}
    assert {one.arm for one in choice.candidates} == {"single", "all", "grouped", "adapted"}
    assert choice.settings["spent"] <= choice.settings["budget"] == 1.0
    assert any("of the cost of all arms" in str(event) for event in events)


def test_estimates_come_from_held_out_training_images(finished):
    root, _, _ = finished
    files = sorted((root / "choice").rglob("results.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {row["split"] for row in rows} == {"val"}
    assert {row["n"] for row in rows if row["task"] == "toy-warm"} == {3}  # half of 2 images of each of 3 classes


def test_the_same_call_again_trains_nothing(finished, tmp_path):
    root, before, _ = finished
    result, events = run(root)
    assert [type(event) for event in events][-1] is NothingToRun
    assert list(result.rows) == list(before.rows)
    (root / "graph" / "choice.json").unlink()
    _, events = run(root)  # chooses again from the runs that are there
    assert sum(isinstance(event, NothingToRun) for event in events) == 2
    assert (root / "graph" / "choice.json").exists()


def test_one_image_a_class_leaves_classes_out(tmp_path):
    result, _ = run(tmp_path, shots=(1,), tasks=TASKS[:2], grouping={"method": "choose", "budget": 4})
    assert result.state == "finished"
    files = (tmp_path / "choice").rglob("results.jsonl")
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {(row["task"], row["n"]) for row in rows} == {("toy-warm", 3), ("toy-cold", 2)}


def test_a_budget_that_is_too_small_names_one_that_works(tmp_path):
    with pytest.raises(ConfigError, match="smallest that works is") as error:
        run(tmp_path / "small", grouping={"method": "choose", "budget": 0.001})
    assert not (tmp_path / "small" / "choice").exists()
    least = float(str(error.value).split()[-1])
    result, _ = run(tmp_path / "least", grouping={"method": "choose", "budget": least}, arms=("single", "chosen"))
    assert result.state == "finished"
    choice = read_choice(tmp_path / "least" / "graph" / "choice.json")
    assert choice.settings["measured"] == {"single": 1, "all": 1}
    assert not np.isnan(choice.scores).any()  # the others are predicted


def test_one_image_a_class_takes_what_is_known_and_trains_nothing(tmp_path):
    result, events = run(tmp_path, shots=(1,), tasks=TASKS[:2], grouping={"method": "choose"})
    assert result.state == "finished"
    assert not (tmp_path / "choice").exists()
    choice = read_choice(tmp_path / "graph" / "choice.json")
    assert choice.settings["runs"] == choice.settings["spent"] == 0
    assert choice.settings["of"] == "classes"
    assert any("nothing was trained" in str(event) for event in events)


def test_every_number_of_shots_has_a_choice_of_its_own(tmp_path):
    result, _ = run(tmp_path, shots=(1, 2), tasks=TASKS[:2], grouping={"method": "choose"})
    assert result.state == "finished"
    first, second = (read_choice(tmp_path / "graph" / f"choice-{shots}shot.json") for shots in (1, 2))
    assert (first.settings["shots"], first.settings["runs"]) == (1, 0)
    assert second.settings["shots"] == 2
    assert second.settings["runs"] > 0  # the default budget suffices for one seed
    assert {(row["shots"], row["task"]) for row in result.rows} == {(n, task) for n in (1, 2) for task in TASKS[:2]}
    again, events = run(tmp_path, shots=(1, 2), tasks=TASKS[:2], grouping={"method": "choose"})
    assert list(again.rows) == list(result.rows)
    assert not any("chosen" in str(event) for event in events)


def test_a_number_of_runs_is_spent_on_what_promises_most_and_goes_on(tmp_path):
    grouping = {"method": "choose", "budget_runs": 7}
    result, _ = run(tmp_path, grouping=grouping)
    assert result.state == "finished"
    choice = read_choice(tmp_path / "graph" / "choice.json")
    assert 4 <= choice.settings["runs"] <= 7  # three alone, one for all
    assert {"single", "all"} <= set(choice.settings["measured"])
    assert len(list((tmp_path / "choice").rglob("results.jsonl"))) <= 7
    for name in ("choice.json", "groups.yaml"):
        (tmp_path / "graph" / name).unlink()
    _, events = run(tmp_path, grouping=grouping)
    assert not any(type(event) is JobsEnded for event in events)  # the same decisions, from runs that are there
    assert read_choice(tmp_path / "graph" / "choice.json").choices == choice.choices


def test_a_dry_run_says_what_the_choice_costs(tmp_path):
    def seconds(**grouping):
        return preview_experiment(experiment(grouping={"method": "choose", **grouping}), tmp_path).choosing

    assert 0 < seconds(budget=0.5) < seconds(budget=1.0)
    assert seconds(budget_seconds=9.5) == 9.5
    assert preview_experiment(experiment(shots=(1,), grouping={"method": "choose"}), tmp_path).choosing == 0
    with pytest.raises(ConfigError, match=r"budget is 0.001, too small .* takes about 0"):
        seconds(budget=0.001)
    with pytest.raises(ConfigError, match=r"budget_runs is 3, too small .* takes 4; give more"):
        seconds(budget_runs=3)
    with pytest.raises(ConfigError, match="'toy-cold' has 4 training images, which cannot be split into 5 folds"):
        seconds(folds=5)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grouping": {"method": "choose", "budget_runs": 2}}, "budget_runs: .*smallest that works is 4"),
        ({"grouping": {"method": "choose", "budget_seconds": 1e-6}}, "budget_seconds: .*smallest that works is"),
        ({"grouping": {"method": "choose", "budget_seconds": 5.0, "budget": 0.5}}, "give one budget"),
        ({"grouping": {"method": "choose", "budget_seconds": -1.0}}, "budget_seconds is -1.0"),
        ({"options": {"DATASET.FOLD_UNIT": "images"}, "shots": (1,)}, "no fold can leave images out"),
        ({"grouping": {"method": "choose", "folds": 3}, "shots": (1,)}, "'toy-cold' has 2 classes"),
        ({"grouping": {"method": "choose", "budget": -1.0}}, "above 0"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grouping": {}}, "arm chosen has what method choose picks"),
        ({"grouping": {"method": "choose", "folds": 1}}, "folds is 1"),
        ({"grouping": {"method": "choose", "budget_runs": 0}}, "budget_runs is 0"),
        ({"grouping": {"method": "choose", "budget": "much"}}, "budget is 'much'"),
        ({"grouping": {"method": "choose", "budget": 0}}, "budget is 0; give a share"),
        ({"grouping": {"method": "choosy"}}, "grouping.method 'choosy' is unknown; did you mean 'choose'"),
        ({"grouping": {"method": "choose", "groups": 2}}, "grouping.groups has no effect with method choose; drop it"),
    ],
)
def test_an_experiment_that_cannot_choose_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        experiment(**changes)


def test_chosen_prompts_are_shared_alone_or_adapted():
    groups = Grouping((TASKS[:2], TASKS[2:]), settings={"adapted": ["toy-cold"]})
    jobs = {job.name: job for job in build_plan(experiment(), "out", groups) if job.kind in ("train", "adapt")}
    [adapted] = [job for job in jobs.values() if job.kind == "adapt"]
    [shared] = [job for job in jobs.values() if job.labels["tasks"] == list(TASKS[:2])]
    assert adapted.labels["tasks"] == ["toy-cold"]
    assert shared.id in adapted.needs
    assert shared.labels["serves"] == ["toy-warm"]
    assert {job.labels["arm"] for job in jobs.values()} == {"chosen"}


@pytest.mark.parametrize(
    ("adapted", "message"), [(["toy-old"], "unknown task 'toy-old'; did you mean"), ("toy-cold", "is 'toy-cold'; list")]
)
def test_tasks_to_adapt_to_that_do_not_exist_are_refused(adapted, message):
    with pytest.raises(PlanError, match=message):
        build_plan(experiment(), "out", Grouping((TASKS,), settings={"adapted": adapted}))


def test_the_command_prints_a_sentence_for_each_task(finished, tmp_path, capsys):
    file = tmp_path / "experiment.yaml"
    file.write_text(
        f"tasks: [{', '.join(TASKS)}]\ntrainers: [{COOP}]\narms: [single]\nshots: [2]\nseeds: [1]\n"
        "options: {OPTIM.MAX_EPOCH: 1}\nexecutor: {name: inline, retries: 0}\n"
    )
    out = str(tmp_path / "out")
    assert main(["group", "--config-file", str(file), "--choose", "--budget", "1.0", "--out", out, "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {task}: " in printed for task in TASKS)
    assert main(["group", "--config-file", str(file), "--choose", "--budget", "0.001", "--out", f"{out}2"]) == 2
    assert "smallest that works is" in capsys.readouterr().err
    kept = tmp_path / "out" / "graph" / "choice.json"
    kept.write_text(kept.read_text().replace("toy-all", "toy-other"))
    assert main(["group", "--config-file", str(file), "--choose", "--budget", "1.0", "--out", out, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert "about other tasks: 'toy-other'" in err
    assert err.count("\n") == 1
    assert main(["group", "--choose", "--out", out]) == 2
    assert main(["group", "--config-file", str(file), "--choose", "--groups", "2", "--out", out]) == 2
