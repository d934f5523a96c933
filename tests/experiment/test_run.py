"""Experiments as a library: stages, events, results; what a notebook sees."""

import pytest
from support.experiments import run_here, toy_experiment

from mvlpt.errors import ConfigError, PlanError, ScheduleError
from mvlpt.experiment import (
    JobsChanged,
    JobsEnded,
    Note,
    NothingToRun,
    PlanReady,
    collect_experiment,
    preview_experiment,
    run_experiment,
)
from mvlpt.report.results import experiment_tables, results_table
from mvlpt.report.results.selection import find_method
from mvlpt.schedule import PLAN_FILE, RunOptions
from mvlpt.schedule.lock import SchedulerLock
from mvlpt.trainers.mvlpt_coop import MVLPTCoOp


def run(root, **changes):
    return run_here(toy_experiment(**changes), root)


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    root = tmp_path_factory.mktemp("library")
    return root, *run(root)


def test_a_run_reports_its_stages_and_returns_its_scores(finished):
    root, result, events = finished
    assert result.state == "finished"
    assert result.root == root
    assert {(row["task"], row["arm"]) for row in result.rows} == {("toy-warm", "single"), ("toy-cold", "single")}
    kinds = [type(event) for event in events]
    assert (kinds[0], kinds[-1]) == (PlanReady, JobsEnded)
    assert set(kinds[1:-1]) == {JobsChanged}
    assert events[0].changed
    assert events[-1].outcome.finished == len(result.plan) == 4  # features and a run for each task
    assert not any("\n" in str(event) for event in events)
    assert str(events[-1]) == "4 of 4 jobs have finished"


def test_the_same_call_again_runs_nothing(finished):
    root, before, _ = finished
    result, events = run(root)
    assert [type(event) for event in events] == [PlanReady, NothingToRun]
    assert not events[0].changed
    assert list(result.rows) == list(before.rows)
    assert collect_experiment(toy_experiment(), root).state == "finished"


def test_other_options_are_kept_out_of_the_folder(finished):
    root, _, _ = finished
    with pytest.raises(PlanError, match="holds another experiment"):
        run(root, options={"OPTIM.MAX_EPOCH": 2})


def test_a_folder_in_which_a_scheduler_works_keeps_its_plan(finished):
    root, _, _ = finished
    before = (root / PLAN_FILE).read_bytes()
    with SchedulerLock(root), pytest.raises(ScheduleError, match="Another scheduler works on"):
        run(root, seeds=(1, 2))
    assert (root / PLAN_FILE).read_bytes() == before


def test_a_task_that_is_added_later_and_missing_is_refused_too(finished):
    root, _, _ = finished
    with pytest.raises(ConfigError, match="One thing is missing, and nothing was run:\n  the data of 'dtd'"):
        run(root, tasks=("toy-warm", "toy-cold", "dtd"))


def test_jobs_that_fail_leave_it_incomplete(toy_tasks, tmp_path):
    options = {"OPTIM.MAX_EPOCH": 1, "TEST.FINAL_MODEL": "best_val"}  # which toy-noval cannot have
    result, _ = run(tmp_path, tasks=("toy-warm", "toy-noval"), options=options)
    assert result.state == "incomplete"
    assert [row["task"] for row in result.rows] == ["toy-warm"]
    assert collect_experiment(toy_experiment(tasks=("toy-warm", "toy-noval")), tmp_path).state == "incomplete"


def test_runs_whose_training_has_failed_are_named_at_the_end(finished):
    root, result, _ = finished
    file = next(root / job.name for job in result.plan if job.kind == "train") / "metrics.csv"
    kept = file.read_text()
    head, *_, last = kept.splitlines()
    epoch, _, _, *rest = last.split(",")
    lines = [head, ",".join(["1", "0.5", "90", *rest]), ",".join([epoch, "2.5", "20", *rest])]
    file.write_text("\n".join(lines) + "\n")
    _, events = run(root)
    file.write_text(kept)
    [note] = [str(event) for event in events if isinstance(event, Note)]
    assert note.startswith("training has failed in 1 run, ")
    assert str(file.parent.relative_to(root)) in note


def test_validation_scores_have_tables_that_say_so(toy_tasks, tmp_path):
    options = {"OPTIM.MAX_EPOCH": 1, "TEST.SPLIT": "val"}
    result, _ = run(tmp_path, arms=("single", "all"), options=options)
    assert (result.state, {row["split"] for row in result.rows}) == ("finished", {"val"})
    experiment_tables(result.rows, ("toy-warm", "toy-cold"), tmp_path)
    page = (tmp_path / "results.md").read_text()
    assert "Validation score %" in page
    assert "est score %" not in page
    assert ",val," in (tmp_path / "results.csv").read_text()


def test_an_adapted_prompt_starts_from_the_shared_one(toy_tasks, tmp_path):
    """At a learning rate of zero the adapted prompt is the shared prompt, and scores the same."""
    result, _ = run(
        tmp_path,
        arms=("all", "grouped", "adapted"),
        arm_options={"adapted": {"OPTIM.LR": 0.0}},
        grouping={"groups": 1},
    )
    assert result.state == "finished"
    scores = {(row["arm"], row["group"] or "", row["task"]): row["value"] for row in result.rows}
    for task in ("toy-warm", "toy-cold"):
        assert scores["adapted", "all", task] == scores["all", "", task]
        assert scores["adapted", "grouped", task] == scores["grouped", "g1", task]
    table = results_table(result.rows)
    labels = [" ".join(method.words[1:]) for method in table.methods]
    assert labels == ["all-together", "grouped", "all-together → adapted", "grouped → adapted"]
    pairs = {(one.first.start, one.second.start) for one in table.comparisons}
    assert ("grouped", "all") in pairs
    assert find_method("MVLPT-CoOp/grouped", table.methods).arm == "grouped"
    assert find_method("MVLPT-CoOp/adapted/from-grouped", table.methods).start == "grouped"


def test_a_preview_writes_nothing(toy_tasks, tmp_path):
    preview = preview_experiment(toy_experiment(arms=("single", "grouped")), tmp_path / "out")
    assert not preview.groups_known
    assert len(preview.slots) == 1
    assert preview.plan.metadata["speeds"]["embedded"].startswith("default of a ")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_used_is_refused_before_anything_is_written(toy_tasks, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'toy-warm'"):
        run_experiment(toy_experiment(tasks=("toy-wram", "toy-cold")), tmp_path / "out")
    with pytest.raises(PlanError, match="No plan at"):
        collect_experiment(toy_experiment(), tmp_path / "out")
    assert not (tmp_path / "out" / PLAN_FILE).exists()


def test_options_of_the_call_win_over_the_experiments(toy_tasks, tmp_path):
    options = RunOptions("slurm", {"jobs": 3})
    assert len(preview_experiment(toy_experiment(), tmp_path, options=options).slots) == 3


def test_an_arm_that_comes_later_keeps_what_was_adapted(toy_tasks, tmp_path):
    """The prompt of all was tuned without a test of its own before; a test does not change it."""
    run(tmp_path, arms=("adapted",), adapt_from=("all",))
    results = sorted(tmp_path.glob("**/adapted/**/results.jsonl"))
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in results}
    assert len(before) == 2
    result, _ = run(tmp_path, arms=("all", "adapted"), adapt_from=("all",))
    assert result.state == "finished"
    scored = {(row["arm"], row["task"]) for row in result.rows}
    assert scored == {(arm, task) for arm in ("all", "adapted") for task in ("toy-warm", "toy-cold")}
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in results} == before


def test_an_adaptation_that_was_stopped_goes_on_when_an_arm_comes_later(toy_tasks, tmp_path, monkeypatch):
    """Though the prompt that it starts from has another folder now."""
    options = {"adapt_from": ("all",), "options": {"OPTIM.MAX_EPOCH": 4, "RUN.SAVE_EVERY": 0}}
    after_epoch = MVLPTCoOp.after_epoch

    def stop(trainer):
        after_epoch(trainer)
        if trainer.cfg.RUN.ARM == "adapted" and trainer.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MVLPTCoOp, "after_epoch", stop)
        assert run(tmp_path, arms=("adapted",), **options)[0].state != "finished"
    stopped = {path.parent for path in tmp_path.glob("**/adapted/**/resume.pth.tar")}
    assert stopped
    epochs = []

    def count(trainer):
        after_epoch(trainer)
        epochs.append((trainer.cfg.OUTPUT_DIR, trainer.epoch))

    monkeypatch.setattr(MVLPTCoOp, "after_epoch", count)
    result, _ = run(tmp_path, arms=("all", "adapted"), **options)
    assert result.state == "finished"
    for folder in stopped:
        assert [epoch for where, epoch in epochs if where == str(folder)] == [1, 2, 3]  # the first is not repeated
    assert run(tmp_path, arms=("all", "adapted"), **options)[0].state == "finished"
