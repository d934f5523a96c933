"""Small plans of shell commands, and schedulers in processes of their own that a test may kill."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mvlpt.schedule.jobs import Job, Plan, job_id
from mvlpt.schedule.plan_file import save_plan

PATIENCE = 600.0  # seconds: no test gives up earlier, since on a machine under load a program takes minutes to start

_PROGRAM = """\
import json, sys
from mvlpt.schedule.executors.registry import make_executor
from mvlpt.schedule.plan_file import load_plan
from mvlpt.schedule.scheduler import Scheduler, SchedulerOptions
plan, root, name, options = sys.argv[1:]
executor = make_executor(name, **json.loads(options))
Scheduler(load_plan(plan), root, executor, SchedulerOptions(retries=1, backoff=0.1)).run()
"""


def shell_job(name: str, script: str, needs: Sequence[Job] = (), outputs: Sequence[str] = (), **fields: Any) -> Job:
    """A job that runs a script of bash in the plan's folder."""
    needed = tuple(job.id for job in needs)
    return Job(job_id([name, script]), "command", name, ("bash", "-c", script), needed, (), tuple(outputs), **fields)


def diamond() -> list[Job]:
    """Four jobs; each adds its letter to the outputs of those it needs, so that the last holds what ran before it."""
    top = shell_job("a", "echo -n a > a", outputs=["a"])
    left = shell_job("b", "echo -n $(cat a)b > b", [top], ["b"])
    right = shell_job("c", "echo -n $(cat a)c > c", [top], ["c"])
    return [top, left, right, shell_job("d", "echo -n $(cat b c)d > d", [left, right], ["d"])]


def training_job(root: Path) -> Job:
    """One epoch of an embedded task."""
    command = (
        *("mvlpt", "train", "--config-file", "trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "tools-plain"),
        *("--shots", "1", "--seed", "1", "--output-dir", str(root / "run"), "--resume", "--quiet"),
        *("OPTIM.MAX_EPOCH", "1", "OPTIM.WARMUP_EPOCH", "0"),
    )
    return Job(job_id(command), "train", "run", command, outputs=("run/prompt.safetensors",))


def start_scheduler(jobs: Sequence[Job], root: Path, executor: str, options: str = "{}") -> subprocess.Popen[bytes]:
    """A scheduler as a process; ``options`` is JSON."""
    root.mkdir(parents=True, exist_ok=True)
    save_plan(Plan(jobs), root / "plan.json")
    command = [sys.executable, "-c", _PROGRAM, str(root / "plan.json"), str(root), executor, options]
    with open(root / "scheduler.log", "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def wait_for(ready: Callable[[], object], seconds: float = PATIENCE, found: Callable[[], object] = lambda: "") -> None:
    """Waits until something is so; ``found`` says what is there instead.

    Raises:
        AssertionError: it is not in time.
    """
    limit = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < limit, f"gave up waiting: {found()}"
        time.sleep(0.05)


def lines(path: Path) -> list[str]:
    """The lines of a file; none where there is no file."""
    return path.read_text().splitlines() if path.exists() else []


def _stat(pid: int) -> tuple[int, str]:
    """Parent and state of a process; 0 and ``Z`` where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, "Z"
    return int(fields[1]), fields[0]


def running(pid: int) -> bool:
    """Whether a process is there and not only waiting to be counted."""
    return _stat(pid)[1] != "Z"


def descendants(pid: int) -> set[int]:
    """Ids of the processes that a process started, and those of theirs."""
    parents = {int(path.name): _stat(int(path.name))[0] for path in Path("/proc").iterdir() if path.name.isdigit()}
    found, added = set(), {pid}
    while added:
        added = {child for child, parent in parents.items() if parent in added}
        found |= added
    return found
