"""``python -m mvlpt.cli.worker``: a worker process of the local executor. Started by the scheduler, not by people."""

from __future__ import annotations

import argparse
import sys

from mvlpt.cli.warm import run_warm
from mvlpt.schedule.worker import WorkerLoop


def main(argv: list[str] | None = None) -> int:
    """Serves the scheduler at the other end of two pipes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="mvlpt worker", description=__doc__)
    parser.add_argument("--requests", type=int, required=True, metavar="FD", help="attempts to run")
    parser.add_argument("--reports", type=int, required=True, metavar="FD", help="results of attempts")
    args = parser.parse_args(argv)
    return WorkerLoop(run_warm, args.requests, args.reports).run()


if __name__ == "__main__":
    sys.exit(main())
