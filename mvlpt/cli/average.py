"""``tools/average_prompts.py`` and ``mvlpt average``: the mean of the prompts of several runs, usually of seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.io import counted

EXAMPLES = """\
examples:
  mvlpt average output/seed1 output/seed2 output/seed3 --output-dir output/mean
  mvlpt train ... --model-dir output/mean       # a target starts from the mean

The runs must have tuned prompts of the same kind and size on the same backbone. Each run's best checkpoint is taken,
or its last where none is marked best; --load-epoch N takes that of epoch N. With --resume an existing mean of the very
same prompts is only reported.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser(
        "average", "Average the tuned prompts of several runs into one that --model-dir can load.", EXAMPLES
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="output folders of runs")
    parser.add_argument(
        "--output-dir", required=True, metavar="DIR", help="where the mean goes; must not hold a prompt yet"
    )
    parser.add_argument("--load-epoch", type=int, default=0, metavar="N", help="take the checkpoints of epoch N")
    parser.add_argument(
        "--model-name", default="prompt_learner", help="folder of the checkpoints (default: %(default)s)"
    )
    parser.add_argument(
        "--force", action="store_true", help="average prompts even of different backbones, or of different classes"
    )
    parser.add_argument("--resume", action="store_true", help="report an existing mean of these prompts")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    output = Path(args.output_dir)
    from mvlpt.engine import BEST_CHECKPOINT  # loads torch, which the help does without
    from mvlpt.experiment import average_runs

    mean, was_there = average_runs(args.runs, output, args.load_epoch, args.model_name, args.resume, args.force)
    values = sum(tensor.numel() for tensor in mean["state_dict"].values())
    note = "; it was there already" if was_there else ""
    path = output / args.model_name / BEST_CHECKPOINT
    show(f"the mean of {counted(len(args.runs), 'prompt')} ({counted(values, 'value')}) is in {path}{note}")
    return 0
