"""Options chosen on folds of the training images or on validation images, never on test images."""

import dataclasses
import json
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import yaml
from support.experiments import COOP, VPT, ZERO_SHOT, embedded_experiment, run_here, toy_experiment

from mvlpt.cli import main
from mvlpt.config import read_yaml
from mvlpt.errors import ConfigError
from mvlpt.experiment import NothingToRun, OptionsChosen, preview_experiment
from mvlpt.experiment.arms import planned_runs
from mvlpt.experiment.search import read_search, searches
from mvlpt.experiment.search.applying import with_first_values, with_options
from mvlpt.experiment.search.sampling import Study
from mvlpt.experiment.search.settings import SearchSettings
from mvlpt.experiment.search.space import Space, space_of
from mvlpt.report import markdown, search_sheet
from mvlpt.report.page import write_report

RATES = [0.0001, 0.02]
needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="needs mvlpt[search]")


def searching(**changes):
    options = {"OPTIM.MAX_EPOCH": 1, "OPTIM.LR": RATES}
    return toy_experiment(**{"shots": (2,), "zero_shot": ZERO_SHOT, "options": options, **changes})


@pytest.mark.parametrize(
    ("options", "swept"),
    [
        ({"OPTIM.LR": [0.1, 0.2]}, {"OPTIM.LR": (0.1, 0.2)}),
        ({"OPTIM.NAME": ["sgd", "adam"]}, {"OPTIM.NAME": ("sgd", "adam")}),
        ({"INPUT.SIZE": [48, 48], "OPTIM.STEPSIZE": [10, 20], "INPUT.TRANSFORMS": ["normalize"]}, {}),
        ({"OPTIM.STEPSIZE": [[10], [5, 10]]}, {"OPTIM.STEPSIZE": ([10], [5, 10])}),
        ({"OPTIM.LR": 0.1, "INPUT.PIXEL_MEAN": [0.1, 0.2, 0.3]}, {}),
    ],
)
def test_lists_of_values_are_kept_apart_from_values_that_are_lists(options, swept):
    experiment = embedded_experiment(options=options)
    assert dict(space_of(experiment, "single").swept) == swept
    assert searches(experiment) == bool(swept)


def test_an_arm_that_sets_an_option_itself_does_not_search_it():
    experiment = embedded_experiment(
        arms=("single", "all", "grouped"),
        options={"OPTIM.LR": [0.1, 0.2], "OPTIM.MAX_EPOCH": 3},
        arm_options={"all": {"OPTIM.LR": 0.5}, "single": {"OPTIM.MAX_EPOCH": [1, 2]}},
    )
    assert space_of(experiment, "single").grid() == [
        {"OPTIM.LR": rate, "OPTIM.MAX_EPOCH": epochs} for rate in (0.1, 0.2) for epochs in (1, 2)
    ]
    assert space_of(experiment, "all").swept == {}
    choices = {("MVLPT-VPT", "single"): {"OPTIM.LR": 0.2, "OPTIM.MAX_EPOCH": 2}, ("MVLPT-CoOp", "single"): {}}
    chosen = with_options(experiment, choices)
    assert chosen.overrides("single", VPT) == {"OPTIM.MAX_EPOCH": 2, "OPTIM.LR": 0.2}
    assert chosen.overrides("all", VPT) == {"OPTIM.MAX_EPOCH": 3, "OPTIM.LR": 0.5}
    assert chosen.overrides("", ZERO_SHOT) == {"OPTIM.MAX_EPOCH": 3}
    assert not searches(chosen)


def test_arms_that_are_not_measured_take_the_choice_of_all():
    experiment = embedded_experiment(arms=("single", "all", "grouped"), options={"OPTIM.LR": [0.1, 0.2]})
    choices = {("MVLPT-VPT", "single"): {"OPTIM.LR": 0.1}, ("MVLPT-VPT", "all"): {"OPTIM.LR": 0.2}}
    chosen = with_options(experiment, choices)
    rates = {arm: chosen.overrides(arm, VPT)["OPTIM.LR"] for arm in ("single", "all", "grouped", "adapted", "source")}
    assert rates == {"single": 0.1, "all": 0.2, "grouped": 0.2, "adapted": 0.2, "source": 0.2}
    first = with_first_values(experiment)
    for arm in ("base_to_new", "cross_dataset"):
        runs = planned_runs(dataclasses.replace(first, arms=(arm,), trainers=(VPT,), seeds=(1,)))
        assert {run.options["OPTIM.LR"] for run in runs if run.trainer == VPT} == {0.1}, arm
    assert first.overrides("grouped", COOP) == {"OPTIM.LR": 0.1}


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    root = tmp_path_factory.mktemp("search")
    return root, *run_here(searching(arms=("single", "all")), root)


def test_the_best_on_held_out_training_images_is_used(finished):
    root, result, events = finished
    assert result.state == "finished"
    search = read_search(root)
    assert [(one.arm, one.options["OPTIM.LR"]) for one in search.candidates] == [
        (arm, rate) for arm in ("single", "all") for rate in RATES
    ]
    for arm in ("single", "all"):
        some = [one for one in search.candidates if one.arm == arm]
        best = max(some, key=lambda one: one.mean)
        assert [one.chosen for one in some] == [one is best for one in some]
        configs = list((root / "MVLPT-CoOp" / arm).rglob("config.yaml"))
        assert configs
        assert {read_yaml(path)["OPTIM"]["LR"] for path in configs} == {best.options["OPTIM.LR"]}
    rows = [json.loads(line) for path in (root / "search").rglob("results.jsonl") for line in path.open()]
    assert {row["split"] for row in rows} == {"val"}
    assert {row["n"] for row in rows if row["task"] == "toy-warm"} == {3}  # half of 2 images of each of 3 classes
    assert len(rows) == 2 * 2 * 2 * 2  # rates, folds, arms, tasks
    low = [row for row in rows if row["arm"] == "single" and row["task"] == "toy-warm"]
    means = [one.scores["toy-warm"] for one in search.candidates if one.arm == "single"]
    assert np.mean([row["value"] for row in low]) == pytest.approx(np.mean(means))
    (chosen,) = [event for event in events if isinstance(event, OptionsChosen)]
    assert "OPTIM.LR" in str(chosen)


def test_the_same_call_again_searches_nothing_and_other_values_search_anew(finished, tmp_path):
    root, before, _ = finished
    result, events = run_here(searching(arms=("single", "all")), root)
    assert [type(event) for event in events if not isinstance(event, OptionsChosen)][-1] is NothingToRun
    assert not any(isinstance(event, OptionsChosen) for event in events)
    assert list(result.rows) == list(before.rows)
    known = read_search(root)
    (root / "search.json").unlink()
    _, events = run_here(searching(arms=("single", "all")), root)
    assert any(isinstance(event, OptionsChosen) for event in events)
    assert read_search(root) == known
    preview = preview_experiment(searching(arms=("single", "all")), root)
    assert preview.options_known
    assert not preview_experiment(searching(), tmp_path / "new").options_known
    assert not (tmp_path / "new").exists()


def test_a_number_that_yaml_takes_for_a_word_is_the_same_value(finished):
    root, _, _ = finished
    known = read_search(root)
    words = {"OPTIM.MAX_EPOCH": 1, "OPTIM.LR": [0.0001, "2e-2"]}  # as YAML reads 2e-2
    result, events = run_here(searching(arms=("single", "all"), options=words), root)
    assert result.state == "finished"
    assert [type(event) for event in events if not isinstance(event, OptionsChosen)][-1] is NothingToRun
    assert read_search(root).candidates == known.candidates
    with pytest.raises(ConfigError, match="names a value twice"):
        space_of(embedded_experiment(options={"OPTIM.LR": [0.001, "1e-3"]}), "single")


def test_runs_that_the_folder_has_under_other_names_are_read_there(finished):
    root, _, _ = finished
    known, runs = read_search(root), {path.parent for path in (root / "search").rglob("results.jsonl")}
    plan = json.loads((root / "search/plan.json").read_text())
    text = json.dumps(plan)
    for folder in {path.relative_to(root / "search").parts[0] for path in runs}:
        (root / "search" / folder).rename(root / "search" / f"{folder}-before")
        text = text.replace(f"{folder}/", f"{folder}-before/")
    (root / "search/plan.json").write_text(text)
    (root / "search.json").unlink()
    run_here(searching(arms=("single", "all")), root)
    assert read_search(root) == known


def test_another_number_of_folds_searches_anew(toy_tasks, tmp_path):
    some = {"shots": (4,), "tasks": ("toy-warm",), "zero_shot": ""}
    run_here(searching(**some), tmp_path)
    shutil.rmtree(tmp_path / "MVLPT-CoOp")  # another choice would be refused
    result, _ = run_here(searching(**some, search={"folds": 3}), tmp_path)
    assert result.state == "finished"
    assert read_search(tmp_path).settings["folds"] == 3


def test_tables_show_all_candidates_and_results_leave_the_search_out(finished, capsys):
    root, _, _ = finished
    table = markdown(search_sheet(read_search(root)))
    assert "4 candidates (grid) on 2 folds of the training images, 2-shot, seed 1" in table
    assert table.count("chosen**") == 2
    assert main(["results", str(root), "--format", "csv"]) == 0
    assert not any(",val," in line for line in capsys.readouterr().out.splitlines())
    page = write_report(root, images=False).path.read_text()
    assert "How options were chosen" in page
    assert "All candidates, mean over tasks" in page


@needs_optuna
@pytest.mark.slow
def test_tpe_on_validation_images(toy_tasks, tmp_path):
    section = {
        "method": "tpe",
        "budget": 5,
        "split": "val",
        "options": {"OPTIM.LR": {"low": 1e-4, "high": 0.1, "log": True}},
    }
    experiment = searching(options={"OPTIM.MAX_EPOCH": 1}, search=section, tasks=("toy-warm",))
    run_here(experiment, tmp_path)
    search = read_search(tmp_path)
    assert (len(search.candidates), search.settings["method"], search.settings["split"]) == (5, "tpe", "val")
    assert all(1e-4 <= one.options["OPTIM.LR"] <= 0.1 for one in search.candidates)
    (tmp_path / "search.json").unlink()
    run_here(experiment, tmp_path)
    assert read_search(tmp_path) == search


@needs_optuna
@pytest.mark.parametrize("method", ["random", "tpe"])
def test_the_same_seed_and_scores_draw_the_same_candidates(method):
    space = Space(
        {"A": (1, 2, 3), "B": {"low": 0.1, "high": 1.0, "whole": False}, "C": {"low": 2, "high": 9, "whole": True}}, {}
    )

    def draw():
        study = Study(space, method, seed=3)
        drawn = []
        for _ in range(3):
            some = study.ask(3)
            study.learn([one["B"] for one in some])
            drawn += some
        return drawn

    first = draw()
    assert first == draw()
    assert all(one["A"] in (1, 2, 3) and 0.1 <= one["B"] <= 1 and one["C"] in range(2, 10) for one in first)


MISTAKES = {
    "one value": ({"options": {"OPTIM.LR": [0.1]}}, "has fewer than two values"),
    "twice": ({"options": {"OPTIM.LR": [0.1, 0.1]}}, "names a value twice"),
    "type": ({"options": {"OPTIM.LR": [0.1, "fast"]}}, "OPTIM.LR takes a number"),
    "choice": ({"options": {"OPTIM.LR_SCHEDULER": ["cosine", "cosinus"]}}, "cosinus"),
    "folds": (
        {"shots": [1], "options": {"OPTIM.LR": [0.1, 0.2]}, "search": {"folds": 9}},
        "set fewer with search.folds",
    ),
    "nothing": ({"search": {"budget": 3}}, "no values to choose from"),
    "budget": (
        {"options": {"OPTIM.LR": [0.1, 0.2]}, "search": {"method": "grid", "budget": 1}},
        "more than search.budget 1",
    ),
    "method": ({"search": {"method": "bayes"}}, "search.method is 'bayes'"),
    "key": ({"search": {"bugdet": 3}}, "did you mean 'budget'?"),
    "range": ({"search": {"options": {"OPTIM.LR": {"low": 1, "high": 0.1}}}}, "needs numbers low < high"),
    "log": ({"search": {"options": {"OPTIM.LR": {"low": 0, "high": 1, "log": True}}}}, "low must be above 0"),
    "steps": (
        {"search": {"options": {"OPTIM.MAX_EPOCH": {"low": 1, "high": 9, "step": 0.5}}}},
        "search.options.OPTIM.MAX_EPOCH.step is 0.5, but OPTIM.MAX_EPOCH is a whole number",
    ),
    "grid of a range": (
        {"search": {"method": "grid", "options": {"OPTIM.LR": {"low": 0.1, "high": 1}}}},
        "a range, of which a grid has no end",
    ),
    "other arm": (
        {"arms": ["single", "adapted"], "arm_options": {"adapted": {"OPTIM.LR": [0.1, 0.2]}}},
        "tried in the arms single and all only",
    ),
    "internal": ({"chosen_options": {}}, "unknown key 'chosen_options'"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_sentence_and_leave_nothing(toy_tasks, tmp_path, capsys, kind):
    changes, expected = MISTAKES[kind]
    content = {"tasks": ["toy-warm", "toy-cold"], "trainers": [COOP], "arms": ["single"], "shots": [2], **changes}
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(content))
    assert main(["experiment", "--config-file", str(tmp_path / "e.yaml"), "--output-dir", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_key_without_a_value_keeps_its_default():
    empty = dict.fromkeys(("method", "budget", "split", "folds", "seed", "options"))
    assert SearchSettings.from_section(embedded_experiment(search=empty).search) == SearchSettings()


def test_a_damaged_search_file_is_named(tmp_path):
    (tmp_path / "search.json").write_text('{"format": "mvlpt-search", "version": 1, "candidates": [{}]}')
    with pytest.raises(ConfigError, match=r"search.json is damaged .*; delete it, and run the experiment again"):
        read_search(tmp_path)
    assert read_search(tmp_path / "elsewhere") is None
