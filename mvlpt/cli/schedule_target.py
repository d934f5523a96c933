"""What a command of ``mvlpt schedule`` works on: a folder with a plan, a plan file, or an experiment file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlpt.errors import PlanError, ScheduleError
from mvlpt.schedule import PLAN_FILE, Plan, load_plan


@dataclass(frozen=True)
class Target:
    """A plan and where it lives.

    Attributes:
        plan: the jobs.
        name: for titles.
        root: the plan's folder; ``None`` for an experiment file without an output folder.
        built: the plan was built from an experiment file and is not on disk yet.
        executor: the ``executor`` section of the experiment.
        stand_in: equal parts of the tasks stand for groups that are not known yet.
    """

    plan: Plan
    name: str
    root: Path | None
    built: bool = False
    executor: Mapping[str, Any] = field(default_factory=dict)
    stand_in: bool = False

    @property
    def folder(self) -> Path:
        """The plan's folder, for commands that need one."""
        if self.root is None:
            raise ScheduleError(f"{self.name} is an experiment file; name the folder of its plan")
        return self.root


def find_target(
    target: str, output_dir: str | None = None, groups: str | None = None, *, only_shown: bool = False
) -> Target:
    """Reads the plan of a folder or file, or builds that of an experiment file.

    Args:
        target: folder, ``plan.json`` or YAML.
        output_dir: where the plan of an experiment file will live.
        groups: a groups file, for the experiment's arm ``grouped``.
        only_shown: the plan is not run or kept, so equal parts of the tasks may stand for unknown groups.

    Raises:
        PlanError: there is no plan, it cannot be used, or the folder holds another experiment.
        ScheduleError: options of an experiment file are given with a folder.
        ConfigError: the experiment cannot be used.
    """
    path = Path(target)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _build(target, output_dir, groups, only_shown)
    if output_dir or groups:
        raise ScheduleError(f"--output-dir and --groups go with an experiment file (.yaml), and {target} is none")
    if path.is_dir():
        return Target(load_plan(path / PLAN_FILE), path.resolve().name, path)
    if path.suffix == ".json":
        if path.name != PLAN_FILE:
            raise PlanError(f"{path}: a plan is kept as {PLAN_FILE} in a folder of its own; rename it")
        return Target(load_plan(path), path.resolve().parent.name, path.parent)
    raise PlanError(f"No folder at {target}; make a plan with `mvlpt schedule plan EXPERIMENT.yaml --output-dir DIR`")


def _build(target: str, output_dir: str | None, groups: str | None, only_shown: bool) -> Target:
    from mvlpt.experiment import load_experiment
    from mvlpt.experiment.plan import build_plan, check_same_folder
    from mvlpt.experiment.search import preview_options

    experiment, chosen = preview_options(load_experiment(target), Path(output_dir or "."))
    if not chosen:
        raise PlanError(
            f"{target} lists values of options to choose from: run it with `mvlpt experiment`, which chooses, or give"
            " one value each"
        )
    grouping, stand_in = None, False
    if groups:
        from mvlpt.experiment.grouping import read_groups_of

        grouping = read_groups_of(experiment, groups)
    elif experiment.needs_groups and only_shown and not output_dir:
        from mvlpt.experiment.grouping import preview_groups

        grouping, stand_in = preview_groups(experiment, Path("output") / Path(target).stem)
    elif experiment.needs_groups:
        raise PlanError(f"{target} follows groups of tasks: give --groups, or use `mvlpt experiment`, which makes them")
    name = Path(target).stem
    root = Path(output_dir) if output_dir else None
    plan = build_plan(experiment, root or Path("output") / name, grouping, experiment_file=target)
    if root is not None and (root / PLAN_FILE).exists():
        check_same_folder(plan, load_plan(root / PLAN_FILE), root)
    return Target(plan, name, root, built=True, executor=experiment.executor, stand_in=stand_in)
