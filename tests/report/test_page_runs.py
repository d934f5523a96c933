"""The report on a folder of runs: runs that differ in options, states, scores that do not go together."""

import json

import numpy as np
from support.report_page import Page
from support.run_folders import run_folder

from mvlpt.engine import ClassResults
from mvlpt.engine.class_results import write_evaluation
from mvlpt.engine.epoch_log import METRICS_FIELDS
from mvlpt.report.page import write_report


def evaluated(folder, values, classes=("one", "two"), **options):
    """A run with results by class and epochs."""
    run_folder(folder, values, **options)
    counts = np.full((len(classes), len(classes)), 3)
    write_evaluation([ClassResults(task, "accuracy", 50.0, classes, counts) for task in values], folder, "test", 1)
    return folder


def words_on(folder):
    return Page(write_report(folder).path).words


def test_runs_that_differ_in_an_option_are_told_apart_in_every_section(tmp_path):
    for number, value in enumerate((0.01, 0.02)):
        folder = evaluated(tmp_path / str(number), {"cats": 50 + number}, OPTIM__LR=value)
        epoch = dict.fromkeys(METRICS_FIELDS, 1) | {"train_accuracy": 40 + number}
        (folder / "metrics.csv").write_text(",".join(epoch) + "\n" + ",".join(map(str, epoch.values())) + "\n")
    evaluated(tmp_path / "every", {"cats": 40}, shots=-1)
    words = words_on(tmp_path)
    assert "single-task OPTIM.LR 0.02 is the best of 3 methods" in words
    assert "best: MVLPT-VPT, 1-shot single-task OPTIM.LR 0.02, 51.0 %" in words
    assert "seeds together" not in words
    assert "MVLPT-VPT, all images single-task" in words
    assert "-1-shot" not in words
    page = (tmp_path / "report.html").read_text()
    assert "At the end: single-task OPTIM.LR 0.01 40, single-task OPTIM.LR 0.02 41." in page


def test_a_run_that_ended_without_a_word_was_killed_and_hidden_folders_do_not_count(tmp_path):
    run_folder(tmp_path / "a", {"cats": 50}, state="running")
    run_folder(tmp_path / "b", {"cats": 60}, seed=2)
    run_folder(tmp_path / ".b.0.removed", {"cats": 70}, seed=2)
    assert "1 of 2 runs have finished (1 killed)" in words_on(tmp_path)
    assert "The run was killed." in words_on(tmp_path / "a")


def test_runs_of_other_classes_are_not_added_up(tmp_path):
    for seed, classes in ((1, ("one", "two")), (2, ("one", "two", "three"))):
        evaluated(tmp_path / str(seed), {"cats": 50}, classes, seed=seed)
    (problem,) = write_report(tmp_path).problems
    assert f"{tmp_path}/2 has other classes of task 'cats'" in problem


def test_scores_that_do_not_go_together_are_called_so(tmp_path):
    for name, value in (("a", 50), ("b", 60)):
        run_folder(tmp_path / "twice" / name, {"cats": value})
    assert "The scores cannot be shown together." in words_on(tmp_path / "twice")
    for name, arm in (("a", "single"), ("b", "all")):
        folder = run_folder(tmp_path / "mixed" / name, {"cats": 50, "dogs": 60}, arm=arm)
        first, second = map(json.loads, (folder / "results.jsonl").read_text().splitlines())
        second |= {"metric": "error", "higher_is_better": False}
        (folder / "results.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    assert "There is no mean over tasks: lower is better on some of them" in words_on(tmp_path / "mixed")


def test_records_whose_command_is_damaged(tmp_path):
    for name, arm in (("a", "single"), ("b", "all")):
        folder = run_folder(tmp_path / name, {"cats": 50}, arm=arm)
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**record, "command": 5}))
    assert "A run of each method" in words_on(tmp_path)
    assert "1 paired test over tasks" in words_on(tmp_path)
    assert "Means over the 1 task that" in words_on(tmp_path)


def test_methods_without_a_common_task_have_no_figure_of_gains(tmp_path, recwarn):
    run_folder(tmp_path / "alone", {"cats": 50})
    run_folder(tmp_path / "together", {"dogs": 60}, arm="all")
    assert "What sharing gains" not in words_on(tmp_path)
    assert not [str(warning.message) for warning in recwarn]
