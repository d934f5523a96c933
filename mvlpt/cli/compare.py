"""``mvlpt compare``: runs, or folders of runs, against each other."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.cli.selection import add_selection, selection_of
from mvlpt.errors import ConfigError
from mvlpt.io import counted, write_file
from mvlpt.report.runs import (
    compare_runs,
    comparison_csv,
    comparison_json,
    comparison_markdown,
    comparison_sheets,
)

EXAMPLES = """\
examples:
  mvlpt compare output/lr1 output/lr2                      # two runs
  mvlpt compare output/lr1 output/lr2 output/lr3           # the first with each of the others
  mvlpt compare output/first output/second --trainer MVLPT-VPT --arm grouped    # two experiments
  mvlpt compare output/lr1 output/lr2 --images 20          # names 20 images that changed sides
  mvlpt compare output/lr1 output/lr2 --format json        # everything

The first table has the options in which the runs differ as its columns. Scores are paired by task and seed, in folders
of many runs by method as well. Tests are over tasks, whose seeds are averaged; with one task they are over seeds.
Images that changed sides are known where both runs recorded their predictions (TEST.PREDICTIONS True); otherwise the
command that records them is shown. docs/compare.md explains the tests.
"""
FORMATS = ("table", "markdown", "csv", "json")


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser(
        "compare", "Compare runs or experiments: options, scores, paired tests, images that changed sides.", EXAMPLES
    )
    parser.add_argument("paths", nargs="+", metavar="RUN", help="folders of runs, or folders above runs; two or more")
    out = parser.add_argument_group("output")
    out.add_argument("--format", choices=FORMATS, default="table", help="csv: the scores only (default: %(default)s)")
    out.add_argument("--out", metavar="FILE", help="write this file instead")
    out.add_argument("--images", type=int, default=5, metavar="N", help="name N images that changed sides (default: 5)")
    add_selection(parser)
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.images < 0:
        raise ConfigError(f"--images is {args.images}; it takes 0 or more")
    comparison = compare_runs(
        args.paths,
        selection_of(args),
    )
    kind = args.format
    if args.out and kind == "table":
        kind = {".csv": "csv", ".json": "json"}.get(Path(args.out).suffix.lower(), "markdown")
    if kind == "table":
        show(*comparison_sheets(comparison, args.images), *(f"- {note}" for note in comparison.notes))
        return 0
    content = {
        "markdown": lambda: comparison_markdown(comparison, args.images),
        "csv": lambda: comparison_csv(comparison),
        "json": lambda: comparison_json(comparison),
    }[kind]()
    if args.out:
        write_file(args.out, content)
        tasks = counted(len({line.task for line in comparison.lines}), "task")
        show(f"{len(comparison.sides)} runs on {tasks}: {args.out}")
    else:
        sys.stdout.write(content)
    return 0
