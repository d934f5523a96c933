"""``mvlpt runs``: a table of run folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.config import OPTIONS, suggest_key
from mvlpt.io import json_text
from mvlpt.report import markdown
from mvlpt.report.runs import ORDERS, STATES, RunFilter, find_runs, run_records, runs_sheet, sort_runs

EXAMPLES = """\
examples:
  mvlpt runs                                    # every run in and below output/
  mvlpt runs output/lr --sort score             # the best first
  mvlpt runs output --state failed killed       # what did not end well
  mvlpt runs output --trainer MVLPT-VPT --task medical-dark --where OPTIM.LR=0.005
  mvlpt runs output --json                      # for programs

states:
  finished      all is there
  running       a process holds the folder
  interrupted   stopped by a signal; the same command with --resume goes on
  killed        ended without a word, as by a power failure; --resume goes on
  failed        ended by an error, which --json shows
  damaged       run.json is not that of a run

The score is the mean over the run's tasks. Options are shown where runs of one trainer differ in them.
`mvlpt compare A B` says more about a few runs, `mvlpt clean` removes those that are of no use.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("runs", "List the folders of runs: state, tasks, options, score, age, size.", EXAMPLES)
    parser.add_argument(
        "folder", nargs="?", default="output", metavar="DIR", help="where to look (default: %(default)s)"
    )
    which = parser.add_argument_group("which")
    which.add_argument("--state", nargs="+", choices=STATES, default=(), metavar="NAME", help=", ".join(STATES))
    which.add_argument("--trainer", nargs="+", default=(), metavar="NAME")
    which.add_argument("--task", nargs="+", default=(), metavar="NAME")
    which.add_argument("--arm", nargs="+", default=(), metavar="NAME")
    which.add_argument("--where", nargs="+", default=(), metavar="KEY=VALUE", help="runs with these values of options")
    how = parser.add_argument_group("how")
    how.add_argument("--sort", choices=tuple(ORDERS), default="folder", metavar="BY", help=", ".join(ORDERS))
    how.add_argument("--reverse", action="store_true", help="the other way round")
    how.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    how.add_argument("--json", action="store_const", const="json", dest="format", help="short for --format json")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    chosen = RunFilter.of(args.where, states=args.state, trainers=args.trainer, tasks=args.task, arms=args.arm)
    found = find_runs(args.folder)
    runs = sort_runs(filter(chosen.takes, found), args.sort, args.reverse)
    if args.format == "json":
        print(json_text(run_records(runs), indent=2))
    elif not runs:
        show(f"No run in or below {args.folder}" + (f" fits; {len(found)} do not" if found else ""))
        for key in chosen.unknown:
            show(f"No option is named {key}, unless a plugin has one{suggest_key(key.upper(), OPTIONS)}")
    else:
        sheet = runs_sheet(runs, Path(args.folder))
        show(markdown(sheet) if args.format == "markdown" else sheet)
    return 0
