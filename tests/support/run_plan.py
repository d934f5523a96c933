"""Runs ROOT/plan.json on the local executor, as a process of its own that tests can kill: ``run_plan.py ROOT JSON``.

The JSON holds options of the local executor under ``local`` and the scheduler's under ``scheduler``.
"""

import json
import sys
from pathlib import Path

from mvlpt.schedule.executors.registry import make_executor
from mvlpt.schedule.plan_file import load_plan
from mvlpt.schedule.retry import SchedulerOptions
from mvlpt.schedule.scheduler import Scheduler


def main() -> int:
    root = Path(sys.argv[1])
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    executor = make_executor("local", device="cpu", **options.get("local", {"slots": 2}))
    scheduler = SchedulerOptions(**{"backoff": 0.05, **options.get("scheduler", {})})
    outcome = Scheduler(load_plan(root / "plan.json"), root, executor, scheduler).run()
    print(json.dumps(vars(outcome)))
    return 130 if outcome.interrupted else 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
