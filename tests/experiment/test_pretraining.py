"""A fixed pool of sources with shots and options of its own, from whose prompt every target starts."""

import re
from pathlib import Path

import pytest
from support.experiments import TASKS, VPT, cfg_of, count, embedded_experiment

from mvlpt.errors import ConfigError, PlanError
from mvlpt.experiment import load_experiment
from mvlpt.experiment.plan import build_plan

POOL = {"arms": ("single", "transfer"), "sources": TASKS[:2], "targets": TASKS[2:], "tasks": TASKS[2:]}


def experiment(**changes):
    return embedded_experiment(**{**POOL, "trainers": (VPT,), "zero_shot": "", **changes})


def test_the_pool_is_tuned_once_with_its_own_shots_and_epochs_and_every_target_starts_from_it():
    plan = build_plan(experiment(shots=(1, 4), source_shots=16, source_options={"OPTIM.MAX_EPOCH": 7}), "out")
    assert count(plan) == {
        ("train", "single"): 2 * 2 * 2,  # shots, seeds, targets
        ("train", "all"): 2,  # the pool, once for each seed
        ("average", "source"): 1,
        ("adapt", "transfer"): 2 * 2 * 2,
    }
    pool = [job for job in plan if job.labels["arm"] == "all"]
    for job in pool:
        cfg = cfg_of(job)
        assert (cfg.DATASET.NUM_SHOTS, cfg.OPTIM.MAX_EPOCH, job.labels["shots"]) == (16, 7, 16)
        assert "/source/16shot/" in job.name
        assert cfg.TEST.NO_TEST
    (mean,) = (job for job in plan if job.kind == "average")
    assert set(mean.needs) == {job.id for job in pool}
    for job in plan:
        if job.kind == "adapt":
            assert job.needs == (mean.id,)
            assert cfg_of(job).DATASET.NUM_SHOTS == job.labels["shots"] in (1, 4)
            assert str(Path("out").resolve() / mean.name) == cfg_of(job).RUN.INIT_FROM


def test_without_shots_of_its_own_the_pool_has_those_of_the_targets():
    plain = {job.id for job in build_plan(experiment(), "out")}
    assert {job.id for job in build_plan(experiment(source_shots=1), "out")} == plain
    alone = {"sources": TASKS, "targets": TASKS, "tasks": TASKS, "source_prompts": "alone"}
    plan = build_plan(experiment(**alone, source_shots=4), "out")  # no run of the arm single, which has one shot
    assert count(plan)["train", "single"] == 2 * 4 + 2 * 4


def test_the_shipped_example_has_a_fixed_pool():
    loaded = load_experiment("configs/experiments/pretrained.yaml")
    assert not set(loaded.sources) & set(loaded.targets)
    plan = build_plan(loaded, "out")
    pool = [job for job in plan if job.labels.get("arm") == "all"]
    assert {len(job.labels["tasks"]) for job in pool} == {12}
    assert {job.labels["shots"] for job in pool} == {8}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source_shots": 0}, "source_shots is 0; give images per class, at least 1, or -1 for all"),
        ({"source_shots": "many"}, "source_shots is 'many'; give images per class"),
        ({"source_shots": 4, "arms": ("single",), "sources": ()}, "source_shots is given, but nothing is transferred"),
    ],
)
def test_what_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        experiment(**changes)


def test_distillation_is_planned_for_runs_that_start_from_a_prompt():
    distilled = {"TRAINER.MVLPT.DISTILL.WEIGHT": 1.0}
    plan = build_plan(experiment(arm_options={"transfer": distilled}), "out")
    weights = {job.kind: cfg_of(job).TRAINER.MVLPT.DISTILL.WEIGHT for job in plan if job.kind in ("train", "adapt")}
    assert weights == {"train": 0.0, "adapt": 1.0}
    with pytest.raises(
        PlanError, match="single/1shot/seed1/weather-dark cannot distil, since it starts from no prompt"
    ):
        build_plan(experiment(options=distilled), "out")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"TRAINER.MVLPT.DISTILL.WEIGHT": 0.5}, "DISTILL.WEIGHT is 0.5, but 2SFS does not distil; set it to 0"),
        ({"TRAINER.MVLPT.META.INNER_STEPS": 2}, "META.INNER_STEPS is 2, but 2SFS has no inner steps; set it to 0"),
    ],
)
def test_what_one_of_the_trainers_cannot_do_is_refused_in_the_plan(options, sentence):
    trainers = tuple(f"configs/trainers/{name}/embedded.yaml" for name in ("MVLPT-VPT", "2SFS"))
    some = {"DATALOADER.TASK_BATCHES": "single", **options}
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        build_plan(experiment(trainers=trainers, arm_options={"transfer": some}), "out")
