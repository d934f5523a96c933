"""Which job is most urgent: the one that begins the longest chain of work.

List scheduling by *upward rank* (Topcuoglu, Hariri, Wu: Performance-effective and low-complexity task scheduling for
heterogeneous computing, IEEE TPDS 2002, section 3.2.2; without communication costs, since jobs meet on one file
system). Pure functions of durations, called by the scheduler and by the simulation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.records import JobRecord


def upward_ranks(plan: Plan, seconds: Mapping[str, float]) -> dict[str, float]:
    """Of each job, its own duration and the longest chain of jobs that must come after it.

    Args:
        plan: the jobs.
        seconds: duration of each; those left out count as 0.
    """
    ranks: dict[str, float] = {}
    longest: dict[str, float] = defaultdict(float)  # of the chains after a job
    for job in reversed(list(plan)):
        ranks[job.id] = seconds.get(job.id, 0.0) + longest[job.id]
        for need in job.needs:
            longest[need] = max(longest[need], ranks[job.id])
    return ranks


def lower_bound(plan: Plan, seconds: Mapping[str, float], slots: int) -> float:
    """Seconds that no schedule can beat: the longest chain, or the work divided by the slots."""
    if not len(plan):
        return 0.0
    work = sum(seconds.get(job.id, 0.0) for job in plan)
    return max(max(upward_ranks(plan, seconds).values()), work / max(slots, 1))


def time_left(
    plan: Plan, records: Mapping[str, JobRecord], seconds: Mapping[str, float], slots: int, now: float
) -> float:
    """Seconds until everything that still can finish has, by :func:`lower_bound` of what is left.

    Args:
        plan: the jobs.
        records: what happened so far.
        seconds: corrected duration of each.
        slots: their number.
        now: Unix seconds.
    """
    left = {}
    for job in plan:
        record = records[job.id]
        if record.state == "waiting":
            left[job.id] = seconds[job.id]
        elif record.state == "running":
            left[job.id] = max(0.0, seconds[job.id] - (now - (record.started or now)))
    return lower_bound(plan, left, slots)
