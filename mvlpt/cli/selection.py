"""The options by which commands choose among results, and the selection that they make."""

from __future__ import annotations

import argparse

from mvlpt.arms import ARMS
from mvlpt.report.results import Selection


def add_selection(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the options ``--trainer``, ``--arm``, ...; returns their group, for what a command adds to it."""
    which = parser.add_argument_group("what to look at")
    which.add_argument("--trainer", nargs="+", default=(), metavar="NAME", help="zero-shot stays, as the reference")
    which.add_argument("--arm", nargs="+", default=(), metavar="NAME", help=", ".join(ARMS))
    which.add_argument("--shots", nargs="+", type=int, default=(), metavar="N", help="training images per class")
    which.add_argument("--metric", nargs="+", default=(), metavar="NAME")
    which.add_argument(
        "--split",
        nargs="+",
        default=(),
        metavar="NAME",
        help="test, torchvision or val; by default test scores, or val where there are none",
    )
    which.add_argument("--task", nargs="+", default=(), metavar="NAME")
    which.add_argument("--seed", nargs="+", type=int, default=(), metavar="N")
    return which


def selection_of(args: argparse.Namespace) -> Selection:
    """What the options of :func:`add_selection` ask for."""
    return Selection(
        trainers=tuple(args.trainer),
        arms=tuple(args.arm),
        shots=tuple(args.shots),
        metrics=tuple(args.metric),
        splits=tuple(args.split),
        tasks=tuple(args.task),
        seeds=tuple(args.seed),
    )
