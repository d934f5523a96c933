"""Attempts of shell scripts on a local executor, and what becomes of them."""

import time

from mvlpt.schedule.attempts import Attempt
from mvlpt.schedule.jobs import Job
from mvlpt.schedule.worker.processes import marked
from support.plans import PATIENCE

GROUP = "sleep 600 & setsid sleep 600 & "  # one child in the program's group, one in a session of its own


def attempt(root, script, number=1, **fields):
    """An attempt at a job whose command is a script of sh, or a list of words."""
    command = ("sh", "-c", script) if isinstance(script, str) else tuple(script)
    ident = fields.pop("ident", "a")
    job = Job(ident, "command", ident, command, outputs=fields.pop("outputs", ()))
    return Attempt(job, number, root / "jobs" / ident / str(number), root, command, **fields)


def alive(root):
    """Processes that workers of this folder, or what they started, still run."""
    return marked(lambda value: value.endswith(f":{root}"))


def output(one):
    """What an attempt has printed so far."""
    path = one.folder / "output.log"
    return path.read_text() if path.exists() else ""


def until(ready, seconds=PATIENCE):
    """Waits until something is so."""
    limit = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.01)


def all_ended(executor, count, seconds=PATIENCE):
    """The results of the next attempts to end; several may come with one poll."""
    ended = []
    limit = time.monotonic() + seconds
    while len(ended) < count:
        assert time.monotonic() < limit, f"only {len(ended)} of {count} attempts ended"
        ended += executor.poll()
        if len(ended) < count:
            executor.wait(0.2)
    assert len(ended) == count
    return ended


def next_ended(executor, seconds=PATIENCE):
    """The result of the one attempt that runs."""
    return all_ended(executor, 1, seconds)[0]
