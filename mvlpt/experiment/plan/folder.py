"""Whether a plan may go on in a folder that holds the runs of an earlier plan."""

from __future__ import annotations

from pathlib import Path

from mvlpt.errors import PlanError
from mvlpt.schedule import Plan


def check_same_folder(plan: Plan, before: Plan, root: Path) -> None:
    """Checks that no run of a plan has the folder of another run of an earlier plan.

    Raises:
        PlanError: names the first such run.
    """
    known = {job.name: job for job in before if job.kind not in ("report", "features", "average")}
    for job in plan:
        old = known.get(job.name)
        if old is not None and old.id != job.id and (root / old.name).exists():
            raise PlanError(
                f"{root} holds another experiment: '{job.name}' has other options or tasks there (job {old.id}, here "
                f"{job.id}); choose another --output-dir, or delete {root / old.name}"
            )
