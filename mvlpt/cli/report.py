"""``mvlpt report``: one HTML page on an experiment, on runs, or on one run."""

from __future__ import annotations

import argparse
import webbrowser

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.runtime import setup_logging

EXAMPLES = """\
examples:
  mvlpt report output/demo                       # writes output/demo/report.html
  mvlpt report output/demo --open                # and shows it in the browser
  mvlpt report output/weather --out weather.html # of a single run

The page is one file that needs no network. It reads what is there: an experiment may be unfinished or have failed jobs.
docs/report.md says what it shows.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("report", "Write a page of tables and figures on an experiment or a run.", EXAMPLES)
    parser.add_argument("folder", metavar="DIR", help="folder of an experiment or of a run, or above runs")
    parser.add_argument("--out", metavar="FILE", help="the file (default: DIR/report.html)")
    parser.add_argument("--no-images", action="store_true", help="leave out the images of mistakes")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    from mvlpt.report.page import write_report  # after --help, which needs none of it
    from mvlpt.report.runs import size_word

    setup_logging(verbose=False)
    report = write_report(args.folder, args.out, images=not args.no_images)
    for problem in report.problems:
        show(f"not in the report: {problem}")
    show(f"report: {report.path} ({size_word(report.size)}, {report.seconds:.0f} s)")
    if args.open:
        webbrowser.open(report.path.resolve().as_uri())
    return 0
