"""``tools/submission.py`` and ``mvlpt submission``: write, join and check a leaderboard's prediction files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.io import counted, rich_text, sentence
from mvlpt.report.leaderboard import Progress, merge, read_shapes, validate, verdict_table, write_run
from mvlpt.runtime import CleanConsole, stderr_console

DESCRIPTION = """\
Prediction files for the ELEVATER image-classification leaderboard: 20 data sets, one JSON file for each data set and
seed, joined into all_predictions.zip. Files are written and read in pieces, so memory stays small.
"""
EXAMPLES = """\
examples:
  # 1. let runs record their probabilities: add TEST.PREDICTIONS True to each (seeds 0, 1, 2; 5 shots)
  mvlpt train --config-file CONFIG --dataset dtd --root DATA --shots 5 --seed 0 \\
      --output-dir output/dtd-0 DATASET.SAMPLING elevater TEST.PREDICTIONS True

  # 2. one JSON for each task of each run
  mvlpt submission write output/dtd-0 output/dtd-1 output/dtd-2 --out output/predictions --model-name "My prompt"

  # 3. check them and join them; refused, with every reason, unless all 20 are there and right
  mvlpt submission merge output/predictions

  # check what somebody else made: a file, a folder or the zip
  mvlpt submission validate all_predictions.zip

What is checked: all 20 data sets, their shapes, seeds 0, 1, 2 in this order for 5 shots (0 alone for zero-shot and
for all data), n_shot, fields equal within a data set, numbers in [0, 1], rows that sum to 1 within 0.001 where an
image has one label, nothing twice, no stray files.

Exit status: 0 right, 1 problems found, 2 bad input, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The three verbs and their options."""
    parser = command_parser("submission", DESCRIPTION, EXAMPLES)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="write | merge | validate")
    write = verbs.add_parser("write", help="prediction files from runs", description="One JSON for each task of a run.")
    write.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run with TEST.PREDICTIONS True")
    write.add_argument("--out", required=True, metavar="DIR", help="where the files go")
    write.add_argument("--model-name", default="", help="as the leaderboard shows it; default: trainer and backbone")
    write.add_argument(
        "--any-order", action="store_true", help="accept data that was not read from the benchmark's own index files"
    )
    write.add_argument(
        "--any-sample", action="store_true", help="accept training images that were not drawn by the benchmark's rule"
    )
    join = verbs.add_parser(
        "merge", help="check a folder and make the zip", description="Joins a folder of JSON files."
    )
    join.add_argument("folder", metavar="DIR", help="folder of the prediction files")
    join.add_argument("--out", default="", metavar="ZIP", help="default: all_predictions.zip in the folder")
    join.add_argument("--partial", action="store_true", help="data sets may be missing (the leaderboard: no average)")
    check = verbs.add_parser(
        "validate", help="check a file, a folder or a zip", description="Checks, and changes nothing."
    )
    check.add_argument("path", metavar="PATH", help="x.json, a folder of them, or all_predictions.zip")
    for verb in (write, join, check):
        verb.add_argument(
            "--shapes",
            default="",
            metavar="FILE.json",
            help='another benchmark, a file with {"data set": [test images, classes], ...}; default: ELEVATER\'s 20',
        )
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    shapes = read_shapes(args.shapes) if args.shapes else None
    if args.verb == "write":
        for run in args.runs:
            for path, shape in write_run(
                run, args.out, shapes, args.model_name, any_order=args.any_order, any_sample=args.any_sample
            ):
                show(f"{path}: {' x '.join(f'{size:,}' for size in shape)}")
        return 0
    with _counting() as progress:
        if args.verb == "merge":
            target, verdict = merge(args.folder, args.out, shapes, partial=args.partial, progress=progress)
        else:
            target, verdict = None, validate(args.path, shapes, progress=progress)
    show(verdict_table(verdict))
    for problem in verdict.problems:
        CleanConsole(width=10_000).print(f"problem: {sentence(problem)}", markup=False)
    if verdict.problems:
        count = len(verdict.problems)
        show(f"{counted(count, 'problem')}{'; nothing was written' if target else ''}")
        return 1
    show(f"submission: {target} ({target.stat().st_size / 2**20:.1f} MiB)" if target else "nothing is wrong")
    return 0


@contextmanager
def _counting() -> Iterator[Progress]:
    """Shows the file being read; on a terminal only."""
    with stderr_console().status("reading") as status:
        yield lambda name: status.update(f"reading {rich_text(name)}")
