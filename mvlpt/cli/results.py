"""``tools/results.py`` and ``mvlpt results``: tables of the scores of many runs."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping
from pathlib import Path

from mvlpt.cli.common import command_parser, exit_status, output_width, show
from mvlpt.cli.selection import add_selection, selection_of
from mvlpt.errors import ConfigError
from mvlpt.experiment import collect_folder, read_scores
from mvlpt.io import counted, write_file
from mvlpt.report.results import (
    SHOWN,
    TABLES,
    ResultsTable,
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    check_figure_name,
    looks_of,
    results_table,
    rich_tables,
    save_arms_figure,
)
from mvlpt.runtime import CleanConsole

FORMATS = ("terminal", "markdown", "csv", "latex", "json")
EXAMPLES = """\
examples:
  mvlpt results output/demo                                   # every run below the folder
  mvlpt results output/demo --trainer MVLPT-VPT --shots 1
  mvlpt results output/demo --groups output/demo/graph/groups.yaml  # means over each group of tasks
  mvlpt results output/demo --compare MVLPT-VPT/grouped MVLPT-CoOp/grouped
  mvlpt results output/pairs --arm transfer --table gains
  mvlpt results output/demo --format latex --out tables.tex
  mvlpt results output/demo --format csv --table summary
  mvlpt results output/demo --picture arms.png                # each arm as dots, by look
  mvlpt results output/demo --collect                         # writes output/demo/results.jsonl

tables:
  scores    task by method, mean and deviation over seeds, the best in bold
  summary   each method: means over tasks, gains over zero-shot and over single-task tuning, average rank
  base_to_new  base and new classes, and their harmonic mean, where there are such runs
  tests     two methods over tasks: Wilcoxon's signed-rank test
  gains     task by method, points over zero-shot and over single-task tuning

docs/results.md gives the formulas.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("results", "Compare methods over tasks from the results of many runs.", EXAMPLES)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="folders, whose runs are found below them, or results.jsonl files"
    )
    out = parser.add_argument_group("output")
    out.add_argument("--format", choices=FORMATS, help="default: what --out ends in, else tables for the terminal")
    out.add_argument("--out", metavar="FILE", help="write this file instead: .md, .csv, .tex, .json or .txt")
    out.add_argument("--table", nargs="+", choices=TABLES, metavar="NAME", help=f"which of {', '.join(TABLES)} (below)")
    out.add_argument(
        "--picture", metavar="FILE", help="also draw the methods as dots, by look or --groups: .png, .svg or .pdf"
    )
    out.add_argument("--digits", type=int, default=1, metavar="N", help="after the point (default: %(default)s)")
    out.add_argument("--collect", action="store_true", help="write PATH/results.jsonl from the runs below PATH")
    which = add_selection(parser)
    which.add_argument("--groups", metavar="YAML", help="a groups file: means over the tasks of each group too")
    which.add_argument(
        "--split-groups", action="store_true", help="separate the groups (sources) that prompts were trained on"
    )
    which.add_argument(
        "--compare",
        nargs=2,
        action="append",
        metavar=("METHOD", "METHOD"),
        help="test these two, each as TRAINER/ARM or TRAINER/ARM/SHOTS; may be given again",
    )
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.collect:
        return _collect(args)
    if not 0 <= args.digits <= 6:
        raise ConfigError(f"--digits is {args.digits}; it takes 0 to 6")
    if args.picture:
        check_figure_name(args.picture)
    kind = args.format or _format_of(args.out)
    if kind == "csv" and args.table and len(args.table) > 1:
        raise ConfigError(f"--format csv holds one table, not {len(args.table)}; name one with --table")
    if kind == "json" and args.table:
        raise ConfigError("--format json holds all tables; leave --table out, or choose another format")
    scores = read_scores(args.paths)
    results = results_table(
        scores,
        groups=_read_groups(args.groups) if args.groups else None,
        select=selection_of(args),
        split_groups=args.split_groups,
        compare=args.compare,
    )
    tables = tuple(args.table or SHOWN)
    if args.picture:
        by_look = (
            results if args.groups else results_table(scores, groups=looks_of(results.tasks), select=selection_of(args))
        )
        show(f"figure: {save_arms_figure(by_look, args.picture)}")
    if kind == "terminal" and not args.out:
        show(*rich_tables(results, tables, args.digits, output_width()))
        return 0
    content = _formatted(results, kind, tables, args.digits)
    if args.out:
        write_file(args.out, content)
        show(f"{counted(len(results.methods), 'method')} on {counted(len(results.tasks), 'task')}: {args.out}")
    else:
        sys.stdout.write(content)
    return 0


def _collect(args: argparse.Namespace) -> int:
    if args.out or args.format:
        raise ConfigError("--collect writes PATH/results.jsonl and takes neither --out nor --format")
    for path in args.paths:
        file, count = collect_folder(path)
        show(f"{counted(count, 'result')}: {file}")
    return 0


def _format_of(out: str | None) -> str:
    endings = {".md": "markdown", ".csv": "csv", ".tex": "latex", ".json": "json", ".txt": "terminal"}
    if not out:
        return "terminal"
    ending = Path(out).suffix.lower()
    if ending not in endings:
        raise ConfigError(f"--out {out} does not end in {', '.join(endings)}; say --format")
    return endings[ending]


def _read_groups(path: str) -> Mapping[str, str]:
    """Task to the name of its group, in the order of the file."""
    from mvlpt.graph import read_groups

    grouping = read_groups(path)
    group_of = {task: grouping.group_of(task) for task in grouping.tasks}
    return {task: group_of[task] for task in sorted(group_of, key=lambda task: grouping.names.index(group_of[task]))}


def _formatted(results: ResultsTable, kind: str, tables: tuple[str, ...], digits: int) -> str:
    if kind == "markdown":
        return as_markdown(results, tables, digits)
    if kind == "latex":
        return as_latex(results, tables, digits)
    if kind == "json":
        return as_json(results)
    if kind == "csv":
        return as_csv(results, tables[0])
    console = CleanConsole(file=io.StringIO(), width=160, color_system=None)
    for item in rich_tables(results, tables, digits, width=160):
        console.print(item, soft_wrap=isinstance(item, str))
    return console.file.getvalue()
