"""``mvlpt config``: look options up: list them, explain some, compare two configurations."""

from __future__ import annotations

import argparse
import dataclasses

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.io import json_text
from mvlpt.report import (
    differences_sheet,
    explain_option,
    find_option,
    find_options,
    markdown,
    options_page,
    options_sheet,
)

EXAMPLES = """\
examples:
  mvlpt config list OPTIM                                       # the options of a section
  mvlpt config list cache                                       # those with a word in their name or meaning
  mvlpt config explain DATALOADER.VIEWS TEST.FINAL_MODEL
  mvlpt config diff output/first output/second                  # two runs, or two YAML files
  mvlpt config diff configs/trainers/MVLPT-VPT/embedded.yaml    # a file against the defaults

Set an option in a YAML file (--config-file) or at the end of a command: mvlpt train ... OPTIM.LR 0.005
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("config", "Look up the options of a run.", EXAMPLES)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|explain|diff")
    listing = verbs.add_parser("list", help="all options, or some of them, with defaults")
    listing.add_argument("word", nargs="?", default="", help="a section, such as OPTIM, or any word")
    listing.add_argument(
        "--format", choices=("table", "markdown", "json", "page"), default="table", help="page: docs/options.md"
    )
    explain = verbs.add_parser("explain", help="what options mean and which values they take")
    explain.add_argument("keys", nargs="+", metavar="KEY", help="such as OPTIM.LR")
    diff = verbs.add_parser("diff", help="the options in which two configurations differ")
    diff.add_argument("a", metavar="A", help="a YAML file or a run's folder")
    diff.add_argument("b", metavar="B", nargs="?", default="", help="another one (default: the defaults)")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.verb == "explain":
        show("\n\n".join(explain_option(find_option(key)) for key in args.keys))
    elif args.verb == "diff":
        sheet = differences_sheet(args.a, args.b)
        show(sheet if sheet.rows else "no option differs")
    elif args.format == "page":
        show(options_page().rstrip())
    else:
        options = find_options(args.word)
        records = [dataclasses.asdict(option) for option in options]
        show(
            {
                "table": lambda: options_sheet(options),
                "markdown": lambda: markdown(options_sheet(options)),
                "json": lambda: json_text(records, indent=2),
            }[args.format]()
        )
    return 0
