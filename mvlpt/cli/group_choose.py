"""``mvlpt group --choose``: what each task of an experiment shares, chosen by training on folds of its images."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from mvlpt.cli.common import INTERRUPTED, show
from mvlpt.cli.experiment_output import ExperimentDisplay
from mvlpt.cli.group_parser import given_data
from mvlpt.cli.warm import run_warm
from mvlpt.errors import ConfigError
from mvlpt.experiment import load_experiment
from mvlpt.experiment.grouping import CHOOSE, UNCHOSEN
from mvlpt.graph.choice import read_choice
from mvlpt.runtime import counting
from mvlpt.schedule import RunOptions


def choose_for_experiment(args: argparse.Namespace) -> int:
    """Chooses for every trainer of an experiment, and prints a sentence for each task; returns the exit status.

    Raises:
        MvlptError: the experiment, its tasks or the budget cannot be used.
    """
    from mvlpt.experiment import register, run_experiment  # load torch, which the help does without
    from mvlpt.experiment.choice import choice_files
    from mvlpt.experiment.grouping import GROUPS_FOLDER

    experiment = given_data(args).narrowed(load_experiment(args.config_file), args.config_file)
    if not experiment.trainers:
        raise ConfigError(f"{args.config_file} has no trainers; --choose trains their prompts")
    budget = {} if args.budget is None else {"budget": args.budget}
    others = () if args.budget is None else ("budget_seconds", "budget_runs")
    kept = {key: value for key, value in experiment.grouping.items() if key not in ("file", *UNCHOSEN, *others)}
    plugins = tuple(dict.fromkeys((*experiment.plugins, *args.plugin)))
    experiment = dataclasses.replace(experiment, grouping={**kept, "method": CHOOSE, **budget}, plugins=plugins)
    register(plugins)
    options = RunOptions.from_settings(experiment.executor)
    try:
        with ExperimentDisplay(live=not options.spec.prints_here and not args.quiet) as display:
            run_experiment(
                experiment,
                args.out,
                on_event=display,
                options=options,
                run_command=run_warm,
                only_groups=True,
                progress=counting,
            )
    except KeyboardInterrupt:
        return INTERRUPTED
    folder = Path(args.out) / GROUPS_FOLDER
    for name in choice_files(experiment).values():
        choice = read_choice(folder / name, experiment.tasks)
        show(f"{choice.settings['trainer']}, {choice.settings['shots']}-shot: {folder / name}")
        show(*(f"  {one.task}: {one.reason}" for one in choice.choices))
    return 0
