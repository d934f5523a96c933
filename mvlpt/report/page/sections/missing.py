"""What is missing: jobs that failed or have not run, scores that are absent, files that cannot be read."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from mvlpt.report.jobs import failure_reason
from mvlpt.report.page.content import Content, Section
from mvlpt.schedule import OUTPUT, attempt_folder

LISTED = 20


@dataclass(frozen=True)
class FailedJob:
    """A job that failed or was cancelled: its name, state and reason, the last line it printed, log and command."""

    name: str
    state: str
    reason: str
    line: str
    log: str
    command: str


def build(content: Content) -> Section | None:
    """Nothing where everything is there."""
    failed, waiting = _failed(content), _waiting(content)
    absent = [run.name for run in content.runs if run.tested and not content.rows_of(run)]
    if not (failed or waiting or absent):
        return None
    return Section(
        "missing",
        "What failed, and what is missing" if failed else "What is missing",
        "missing.html.jinja",
        {
            "failed": failed[:LISTED],
            "more_failed": max(0, len(failed) - LISTED),
            "waiting": waiting,
            "absent": absent[:LISTED],
            "more_absent": max(0, len(absent) - LISTED),
            "go_on": f"mvlpt schedule retry {shlex.quote(str(content.root))}" if failed else "",
        },
    )


def _failed(content: Content) -> list[FailedJob]:
    found = []
    for job in content.plan or ():
        record = content.records[job.id]
        if record.state not in ("failed", "cancelled"):
            continue
        folder = attempt_folder(content.root, job.id, record.attempts)
        reason, line = failure_reason(record, folder)
        found.append(FailedJob(job.name, record.state, reason, line, str(folder / OUTPUT), job.shell))
    return found


def _waiting(content: Content) -> list[tuple[str, int]]:
    if content.plan is None:
        return [(state, count) for state, count in content.states.items() if state != "finished"]
    states = [content.records[job.id].state for job in content.plan if job.kind != "report"]
    return [(state, states.count(state)) for state in ("running", "waiting", "blocked") if state in states]
