"""The plan that an experiment's folder holds, and whether another may go on there."""

from __future__ import annotations

from pathlib import Path

from mvlpt.errors import PlanError
from mvlpt.experiment.plan.builder import build_plan
from mvlpt.experiment.plan.earlier import plan_in
from mvlpt.experiment.spec import Experiment
from mvlpt.io import check_encoding, counted
from mvlpt.schedule import PLAN_FILE, Plan, save_plan, trust


def check_folder(experiment: Experiment, root: Path) -> None:
    """Refuses a folder that holds another experiment, before groups are made in it.

    Raises:
        PlanError: its name is not UTF-8, or a run that does not depend on the groups has other options or tasks there.
    """
    check_encoding(root, PlanError)
    before = plan_in(root)
    if before is not None:
        check_same_folder(build_plan(experiment.without_groups(), root), before, root)


def keep_plan(plan: Plan, root: Path) -> bool:
    """Writes ``plan.json``; returns whether the folder held no plan of the same jobs.

    Raises:
        PlanError: the folder holds another experiment.
    """
    before = plan_in(root)
    if before is not None:
        check_same_folder(plan, before, root)
    save_plan(plan, root / PLAN_FILE)
    trust(plan)
    return before is None or {job.id for job in before} != {job.id for job in plan}


def check_same_folder(plan: Plan, before: Plan, root: Path) -> None:
    """Checks that no run of a plan has the folder of another run of an earlier plan.

    Raises:
        PlanError: names the first such run, and says how many there are.
    """
    known = {job.name: job for job in before if job.kind not in ("report", "features", "average")}
    others = [
        (job, old)
        for job in plan
        if (old := known.get(job.name)) is not None and old.id != job.id and (root / old.name).exists()
    ]
    if others:
        job, old = others[0]
        also = rest = ""
        if more := len(others) - 1:
            also, rest = f"; {counted(more, 'more run')} too", " and the folders of the others"
        raise PlanError(
            f"{root} holds another experiment: '{job.name}' has other options or tasks there (job {old.id}, here "
            f"{job.id}{also}); choose another --output-dir, or delete {root / old.name}{rest}"
        )
