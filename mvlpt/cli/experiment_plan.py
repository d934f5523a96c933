"""The middle stage of an experiment: its plan, written down or only shown."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.cli.common import show
from mvlpt.errors import PlanError
from mvlpt.experiment import Experiment
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.calibrate import DEFAULTS, cost_model
from mvlpt.experiment.costs.calibrate import FILE as CALIBRATION
from mvlpt.experiment.costs.model import CostModel
from mvlpt.experiment.plan import build_plan, check_same_folder
from mvlpt.report.jobs.plan_figure import save_plan_figure
from mvlpt.report.jobs.plan_table import plan_sheet, plan_times
from mvlpt.schedule import Plan, RunOptions, Slot, corrected_plan, load_plan, save_plan
from mvlpt.schedule.journal import read_records
from mvlpt.schedule.plan_file import FILE

PICTURE = "plan.png"


def plan_of(
    experiment: Experiment, groups: Any, args: argparse.Namespace, root: Path, options: RunOptions, keep: bool
) -> Plan:
    """The plan of an experiment, its estimates corrected by jobs that have finished in the folder.

    Args:
        experiment: what to compare.
        groups: for the arm ``grouped``.
        args: of the command line.
        root: the experiment's folder.
        options: where jobs will run; speeds are measured only where that is this machine.
        keep: write what was measured to the folder.
    """
    backbones = Configurations(experiment).backbones()
    if options.spec.local:
        folder = root if keep or (root / CALIBRATION).exists() else None
        cost = cost_model(backbones, folder, keep and not args.no_calibrate, tell=_note)
    else:
        device = "cuda" if options.uses_gpus() else "cpu"
        cost = CostModel({name: DEFAULTS[device] for name, _ in backbones})
    plan = build_plan(experiment, root, groups, cost, args.config_file)
    plan.metadata["speeds"] = {name: rates.source for name, rates in cost.rates.items()}
    return corrected_plan(plan, read_records(root, plan))


def refuse_other(experiment: Experiment, root: Path) -> None:
    """Refuses a folder that holds another experiment, before groups are made in it.

    Raises:
        PlanError: a run that does not depend on the groups has other options or tasks there.
    """
    before = _known(root / FILE)
    if before is not None:
        arms = tuple(arm for arm in experiment.arms if arm != "grouped")
        check_same_folder(build_plan(dataclasses.replace(experiment, arms=arms), root), before, root)


def write_plan(plan: Plan, root: Path) -> None:
    """Writes ``plan.json`` and its picture, unless the folder holds another experiment.

    Raises:
        PlanError: it does.
    """
    file = root / FILE
    before = _known(file)
    if before is not None:
        check_same_folder(plan, before, root)
    save_plan(plan, file)
    if before is None or {job.id for job in before} != {job.id for job in plan} or not (root / PICTURE).exists():
        save_plan_figure(plan, root / PICTURE)


def _known(file: Path) -> Plan | None:
    try:
        return load_plan(file) if file.exists() else None
    except PlanError:  # it is about to be written again
        return None


def show_plan(plan: Plan, slots: Sequence[Slot], args: argparse.Namespace, root: Path, stand_in: bool) -> None:
    """Prints a plan and writes nothing but what the command line asks for."""
    records = read_records(root, plan)
    if args.plan_file:
        save_plan(plan, args.plan_file)
    if args.picture:
        save_plan_figure(plan, args.picture)
    show(plan_sheet(plan, records))
    show(f"{plan_times(plan, slots, records)}.")
    speeds = "; ".join(f"{name}: {source}" for name, source in plan.metadata["speeds"].items())
    show(f"Speeds behind the estimates: {speeds}.")
    if stand_in:
        show(
            "The groups are not known before the tasks are embedded; equal parts of the tasks stand in for them"
            " (--only-groups makes them)."
        )
    written = [path for path in (args.plan_file, args.picture) if path]
    show(f"written: {', '.join(written)}" if written else f"Nothing was written; the plan would go to {root / FILE}")


def _note(text: str) -> None:
    show(f"{text} ...")
