"""A plan with estimates for where its jobs will run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.calibrate import DEFAULTS, cost_model
from mvlpt.experiment.costs.calibrate import FILE as CALIBRATION
from mvlpt.experiment.costs.model import CostModel
from mvlpt.experiment.plan.builder import build_plan
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping
from mvlpt.schedule import Plan, RunOptions, corrected_plan, read_records


def estimated_plan(
    experiment: Experiment,
    root: Path,
    groups: Mapping[str, Grouping] | None,
    options: RunOptions,
    *,
    experiment_file: str = "",
    measure: bool = False,
    on_measure: Callable[[str], None] = lambda sentence: None,
) -> Plan:
    """The plan of an experiment, its estimates corrected by the jobs that have finished in its folder.

    Args:
        experiment: what to compare.
        root: the experiment's folder.
        groups: for arms that follow groups: one grouping for each trainer's configuration file.
        options: where jobs will run.
        experiment_file: where the experiment was read from; with it the plan ends in a report.
        measure: measure the speed of this machine, if jobs run here and the folder does not hold it yet.
        on_measure: called with a sentence before a measurement.

    Raises:
        ConfigError: options, trainers or tasks that cannot be used.
        PlanError: groups that do not fit, or two jobs with one folder.
    """
    cost = _cost_model(Configurations(experiment).backbones(), root, options, measure, on_measure)
    plan = build_plan(experiment, root, groups, cost, experiment_file)
    plan.metadata["speeds"] = {name: rates.source for name, rates in cost.rates.items()}
    return corrected_plan(plan, read_records(root, plan))


def _cost_model(
    backbones: list[tuple[str, int]],
    root: Path,
    options: RunOptions,
    measure: bool,
    on_measure: Callable[[str], None],
) -> CostModel:
    if not options.spec.local:  # speeds of this machine mean nothing there
        device = "cuda" if options.uses_gpus() else "cpu"
        return CostModel({name: DEFAULTS[device] for name, _ in backbones})
    folder = root if measure or (root / CALIBRATION).exists() else None
    return cost_model(backbones, folder, measure, on_measure)
