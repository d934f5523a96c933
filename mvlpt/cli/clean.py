"""``mvlpt clean``: removes the folders of runs that are of no use, after showing them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.errors import ConfigError
from mvlpt.io import counted, first_line
from mvlpt.report import Column, Entry, Sheet
from mvlpt.report.runs import KINDS, Removal, find_runs, remove_runs, size_word, useless_runs

EXAMPLES = """\
examples:
  mvlpt clean output --dry-run          # shows what would go
  mvlpt clean output                    # shows it, asks, removes it
  mvlpt clean output --yes              # does not ask; for scripts
  mvlpt clean output --what killed interrupted --yes

what:
  failed        ended by an error
  superseded    another run of the same configuration finished later
  killed        ended without a word; --resume would go on
  interrupted   stopped by a signal; --resume would go on

Left alone, with the reason shown: runs that a process holds, runs of an experiment that is running, runs whose prompt
another run starts from, and folders that hold other runs or files that no run writes. Runs of experiments are never
superseded. Only folders with a run.json of this framework are removed; links are not followed.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("clean", "Remove the folders of failed or superseded runs, after showing them.", EXAMPLES)
    parser.add_argument(
        "folder", nargs="?", default="output", metavar="DIR", help="where to look (default: %(default)s)"
    )
    parser.add_argument(
        "--what", nargs="+", choices=KINDS, default=KINDS[:2], metavar="KIND",
        help=f"{', '.join(KINDS)} (default: {' '.join(KINDS[:2])})",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show what would be removed, and remove nothing")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    runs = find_runs(args.folder)
    removals = useless_runs(runs, args.what)
    going = [removal for removal in removals if not removal.kept]
    if not removals:
        show(f"Nothing to remove: of {counted(len(runs), 'run')} in {args.folder} none is {' or '.join(args.what)}")
        return 0
    show(_sheet(removals, Path(args.folder)))
    if args.dry_run or not going:
        show("Nothing was removed" + (" (--dry-run)" if args.dry_run else ""))
        return 0
    if not args.yes and not _agreed(going):
        show("Nothing was removed")
        return 0
    freed, left = 0, 0
    for run, problem in remove_runs(going):
        if problem:
            left += 1
            show(f"{run.folder} was left alone: {problem}")
        else:
            freed += run.size
    show(f"Removed {counted(len(going) - left, 'run')}: {size_word(freed)} ({freed:,} bytes) are free")
    return 1 if left else 0


def _agreed(going: Sequence[Removal]) -> bool:
    """Asks on a terminal.

    Raises:
        ConfigError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ConfigError(
            "There is no terminal to ask on, so nothing was removed; add --yes, or --dry-run to look only"
        )
    size = size_word(sum(removal.run.size for removal in going))
    try:
        answer = input(f"Remove {counted(len(going), 'run')}, {size}? [y/N] ")
    except EOFError:  # Ctrl-D
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def _sheet(removals: Sequence[Removal], top: Path) -> Sheet:
    rows = []
    for removal in removals:
        folder = os.path.relpath(removal.run.folder, top)
        why = first_line(ValueError(removal.why), 160)
        action = f"kept: {removal.kept}" if removal.kept else "remove"
        rows.append((folder, size_word(removal.run.size), why, action))
    columns = tuple(Column((title,), left=title != "size") for title in ("folder", "size", "why", "action"))
    return Sheet(f"Runs of no use in {top}", columns, tuple(tuple(map(Entry, row)) for row in rows))
