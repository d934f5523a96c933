"""Ids of jobs: hashes of what their commands ask for, and nothing else."""

import pytest
from support.experiments import GROUPS, TASKS, VPT, cfg_of, embedded_experiment

from mvlpt.engine.identity import result_affecting_options
from mvlpt.errors import PlanError
from mvlpt.experiment.plan import START_OPTIONS, build_plan, check_same_folder
from mvlpt.schedule import PLAN_FILE, job_id, save_plan

ALL_ARMS = {"arms": ("single", "all", "grouped", "pair", "transfer"), "sources": TASKS[:3]}


def ids(plan):
    return {job.name: job.id for job in plan}


def test_ids_do_not_depend_on_the_folder():
    here, there = (build_plan(embedded_experiment(**ALL_ARMS), folder, GROUPS) for folder in ("out", "/somewhere/else"))
    assert ids(here) == ids(there)


def test_ids_do_not_depend_on_where_data_lie_or_how_many_workers_read():
    moved = embedded_experiment(**ALL_ARMS, root="/data", options={"DATALOADER.NUM_WORKERS": 3})
    assert ids(build_plan(moved, "out", GROUPS)) == ids(build_plan(embedded_experiment(**ALL_ARMS), "out", GROUPS))


def test_more_seeds_leave_ids_as_they_are_but_those_of_means():
    few = ids(build_plan(embedded_experiment(**ALL_ARMS), "out", GROUPS))
    more = ids(build_plan(embedded_experiment(**ALL_ARMS, seeds=(1, 2, 5)), "out", GROUPS))
    changed = {name for name in few if more.get(name) != few[name]}
    assert changed == {name for name in few if "/mean-of-" in name or "/from-seeds" in name}
    assert not {name for name in changed if name in more}  # other means lie in other folders


def test_an_option_that_matters_changes_every_id_that_depends_on_it():
    before = ids(build_plan(embedded_experiment(**ALL_ARMS), "out", GROUPS))
    after = ids(build_plan(embedded_experiment(**ALL_ARMS, arm_options={"single": {"OPTIM.LR": 0.1}}), "out", GROUPS))
    assert {name for name in before if before[name] != after[name]} == {name for name in before if "/single/" in name}
    sources = ids(build_plan(embedded_experiment(**ALL_ARMS, source_options={"OPTIM.LR": 0.1}), "out", GROUPS))
    changed = {name for name in before if before[name] != sources[name]}
    assert changed == {name for name in before if "/source/" in name or "/transfer/" in name}


def test_an_id_is_the_hash_of_what_the_command_asks_for():
    plan = build_plan(embedded_experiment(**ALL_ARMS), "out", GROUPS)
    for job in plan:
        if job.kind in ("train", "adapt", "evaluate") and job.labels["seed"] in (0, 1):
            decisive = {
                key: value for key, value in result_affecting_options(cfg_of(job)).items() if key not in START_OPTIONS
            }
            start = [need for need in job.needs if plan[need].kind != "features"]
            assert job.id == job_id([job.kind, decisive, start]), job.name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("adapted",), ("all", "adapted")),
        (("all", "adapted"), ("adapted",)),
        (("single", "transfer"), ("single", "all", "transfer")),
    ],
)
def test_adaptations_stay_when_the_run_that_they_start_from_is_tested_too(before, after, tmp_path):
    def planned(arms, **changes):
        return build_plan(embedded_experiment(arms=arms, trainers=(VPT,), zero_shot="", **changes), tmp_path, GROUPS)

    def adaptations(plan):
        return {job.name: job.id for job in plan if job.kind in ("adapt", "average")}

    earlier = planned(before)
    save_plan(earlier, tmp_path / PLAN_FILE)
    for job in earlier:
        (tmp_path / job.name).mkdir(parents=True)
    assert adaptations(planned(after)) == adaptations(earlier)
    check_same_folder(planned(after), earlier, tmp_path)
    shorter = planned(after, options={"OPTIM.MAX_EPOCH": 3})
    with pytest.raises(PlanError, match="holds another experiment"):
        check_same_folder(shorter, earlier, tmp_path)
