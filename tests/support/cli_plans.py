"""Plans of shell commands, and ``mvlpt schedule`` on them, in this process or another."""

import contextlib
import json
import os
import subprocess
import sys

from mvlpt.cli import main

REPORT = 'echo \'{"done": 1, "total": 4, "text": "loss 0.5"}\' > "$MVLPT_PROGRESS_FILE"'


def job(name, command="true", needs=(), **more):
    """A job of a plan written by hand."""
    return {"name": name, "command": command, "needs": list(needs), "seconds": 0.1, **more}


def write_plan(root, *jobs):
    """A folder with a plan."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "plan.json").write_text(json.dumps({"format": "mvlpt-plan", "version": 1, "jobs": list(jobs)}))
    return root


def schedule(*words):
    """``mvlpt schedule`` in this process."""
    return main(["schedule", *map(str, words)])


def run_inline(root, *words):
    """Runs a plan in this process, without retries."""
    return schedule("run", root, "--executor", "inline", "--retries", "0", "--trust", *words)


def status_of(root, capsys):
    """What ``mvlpt schedule status`` says to programs."""
    capsys.readouterr()
    schedule("status", root, "--json")
    return json.loads(capsys.readouterr().out)


@contextlib.contextmanager
def scheduler(root, *words):
    """``mvlpt schedule run`` in a process of its own, ended at the end."""
    command = [sys.executable, "-m", "mvlpt.cli", "schedule", "run", str(root), "--trust", "--slots", "1", *words]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()
