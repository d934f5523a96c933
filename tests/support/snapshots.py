"""Made-up states of a running plan."""

import json

from mvlpt.schedule.attempts import attempt_folder
from mvlpt.schedule.jobs import Job, Plan, job_id
from mvlpt.schedule.records import JobRecord, Snapshot
from mvlpt.schedule.slots import Slot

NOW = 10_000.0


def plan_of(*names, needs=None, kind="train"):
    """Jobs by name; ``needs`` maps a name to the names it needs."""
    needs = needs or {}
    return Plan(
        [Job(job_id(name), kind, name, ("echo", name), tuple(map(job_id, needs.get(name, ())))) for name in names]
    )


def snapshot(plan, root, states, slots=2, **fields):
    """A snapshot.

    Args:
        plan: the jobs.
        root: the plan's folder.
        states: job name to a record, or to the fields of one.
        slots: how many.
        fields: further fields of the snapshot.
    """
    records = {job.id: JobRecord() for job in plan}
    for name, record in states.items():
        records[job_id(name)] = record if isinstance(record, JobRecord) else JobRecord(**record)
    running = [ident for ident, record in records.items() if record.state == "running"]
    places = [(Slot(f"cpu{i}"), running[i] if i < len(running) else None) for i in range(slots)]
    given = {"started": NOW - 200, "elapsed": 200.0, "time_left": 754.0, **fields}
    return Snapshot(plan=plan, records=records, slots=places, root=root, **given)


def running(slot="cpu0", since=75.0, attempts=1, **fields):
    """The fields of a record of a job that runs."""
    return {"state": "running", "attempts": attempts, "slot": slot, "started": NOW - since, **fields}


def write_progress(root, name, done, total, text, attempt=1):
    """As the engine writes it."""
    folder = attempt_folder(root, job_id(name), attempt)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.json").write_text(json.dumps({"done": done, "total": total, "text": text}))
    return folder
