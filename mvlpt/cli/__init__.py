"""The command ``mvlpt`` and what its subcommands share. The programs in ``tools/`` call the same functions."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys

import mvlpt
from mvlpt.errors import INTERRUPTED, suggest

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "train": "tune or evaluate prompts on one task or many",
    "predict": "classify images by a tuned prompt or a run",
    "group": "build the task graph and pick the groups that should share a prompt",
    "experiment": "compare ways to share prompts: embed, group, plan, run, report",
    "schedule": "plan, run, watch, cancel and retry the jobs of an experiment",
    "results": "tables of results: mean and deviation, gains, ranks, paired tests",
    "report": "a page of tables, figures and images on an experiment or a run",
    "compare": "two runs or experiments: options, scores, paired tests, images that changed sides",
    "runs": "list the folders of runs: state, tasks, options, score, age, size",
    "clean": "remove the folders of failed or superseded runs, after showing them",
    "export": "a tuned prompt or run for open_clip, ONNX or TorchScript, with a card for the Hub",
    "features": "encode images once, for all runs that leave the image tower as it is",
    "average": "average the prompts of several runs",
    "library": "store tuned prompts, and find those that a new task should start from",
    "tasks": "list, check, show and get the tasks",
    "submission": "write, join and check prediction files of a leaderboard",
    "config": "look up options: list, explain, compare two configurations",
    "completion": "a script with which bash, zsh or fish completes commands and options",
    "demo": "compare zero-shot, single-task and shared prompts on the embedded tasks",
}
HIDDEN = ("worker",)  # started by the scheduler, not by people


def main(argv: list[str] | None = None) -> int:
    """Runs ``mvlpt COMMAND ...``; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    # Before torch is imported: threads that spin while they wait cost up to 40 x on a busy machine with few cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # or Python's last collection looks through all of torch, which takes over a second
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: mvlpt COMMAND [options]\n\nMultitask vision-language prompt tuning. Commands:\n")
        for name, purpose in COMMANDS.items():
            print(f"  {name:<14}{purpose}")
        print("\n`mvlpt COMMAND --help` explains each. `mvlpt --version` prints the version.")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(mvlpt.__version__)
        return 0
    if arguments[0] not in (*COMMANDS, *HIDDEN):
        print(f"error: no command '{arguments[0]}'{suggest(arguments[0], COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(f"mvlpt.cli.{arguments[0]}").main(arguments[1:])
    except KeyboardInterrupt:  # while modules are loaded; commands say themselves that they were interrupted
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
