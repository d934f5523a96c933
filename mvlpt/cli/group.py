"""``tools/group_tasks.py`` and ``mvlpt group``: build the task graph and pick the groups that should share a prompt."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mvlpt.cli.common import exit_status, output_width, show
from mvlpt.cli.group_choose import choose_for_experiment
from mvlpt.cli.group_parser import (
    build_parser,
    given_data,
    given_options,
    named_tasks,
    refuse_beside_choose,
    refuse_beside_graph,
    refuse_beside_measured,
)  # fmt: skip
from mvlpt.cli.group_tables import fit_line, groups_table, objective_line, selection_line, selection_table
from mvlpt.errors import ConfigError
from mvlpt.experiment.grouping import CHOOSE, GroupingOptions, choose_measured
from mvlpt.io import replacing_edited
from mvlpt.report.graphs import save_grouping_figures
from mvlpt.runtime import counting, setup_logging

if TYPE_CHECKING:
    from mvlpt.experiment.grouping import GroupingResult


@exit_status
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    setup_logging(verbose=False)
    with replacing_edited(args.force):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    """Groups what the command line asks for."""
    if args.choose or args.method == CHOOSE:
        refuse_beside_choose(args)
        return choose_for_experiment(args)
    if args.measured:
        _choose(args)
    elif args.budget is not None or args.predict:
        raise ConfigError(
            "--budget and --predict choose among measured sets; give their table with --measured FILE.csv"
        )
    elif args.graph:
        from mvlpt.experiment.grouping import regroup  # loads torch, which the help does without

        refuse_beside_graph(args)
        options = GroupingOptions.from_section({}, given_options(args))
        _show(regroup(args.graph, options, args.out, named_tasks(args)), Path(args.out))
    else:
        _build(args)
    return 0


def _build(args: argparse.Namespace) -> None:
    """Builds the task graph from the data, and groups it as often as the command line asks for."""
    bars = partial(counting, shown=not args.quiet)
    data, options = given_data(args), given_options(args)
    from mvlpt.engine import shared_resources  # loads torch, which the help does without
    from mvlpt.experiment.grouping import find_groups, grouping_requests

    with shared_resources():
        for request in grouping_requests(args.config_file, data, options, overrides=args.opts, plugins=args.plugin):
            _show(find_groups(request, args.out, bars), Path(args.out))


def _choose(args: argparse.Namespace) -> None:
    """Chooses among measured sets, and prints which of them serves which task."""
    refuse_beside_measured(args)
    chosen = choose_measured(
        args.measured,
        args.out,
        tasks=named_tasks(args),
        budget=args.budget,
        predict=args.predict,
        max_size=args.max_size,
        lower_is_better=args.lower_is_better,
    )
    show(selection_line(chosen), selection_table(chosen), f"files: {chosen.file}")


def _show(result: GroupingResult, folder: Path) -> None:
    """Draws a grouping, and prints its table, its objective, and what was computed."""
    figures = save_grouping_figures(result, folder)
    if result.fitted is not None:
        show(fit_line(result.fitted))
    show(*groups_table(result, output_width()), objective_line(result.grouping))
    if result.update is not None and result.update.kept:
        show(f"up to date, not computed again: {', '.join(result.update.kept)}")
    if result.update is not None and result.update.computed:
        show(f"computed: {', '.join(result.update.computed)}")
    show("files: " + ", ".join(str(path) for path in [*result.files, *figures]))
