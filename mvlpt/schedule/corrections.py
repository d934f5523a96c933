"""Estimated durations, corrected by the jobs that have finished.

Jobs of one kind and trainer are off by about the same factor: the median of time taken over time estimated. The median
ignores a job that waited for its data.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Mapping

from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.records import JobRecord


def correction_factors(plan: Plan, records: Mapping[str, JobRecord]) -> dict[str, float]:
    """By what each job's estimate is to be multiplied.

    A job takes the factor of the finished jobs of its kind and trainer; where there are none that of its kind; where
    there are none of these either that of all jobs; and 1 before any job has finished.

    Args:
        plan: with estimates.
        records: by job id; ids that are missing have not run.

    Returns:
        By job id.
    """
    ratios: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for job in plan:
        record = records.get(job.id)
        if record is not None and record.state == "finished" and record.seconds > 0 and job.seconds > 0:
            for group in _groups(job):
                ratios[group].append(record.seconds / job.seconds)
    factors = {group: statistics.median(values) for group, values in ratios.items()}
    return {job.id: next((factors[group] for group in _groups(job) if group in factors), 1.0) for job in plan}


def corrected_seconds(plan: Plan, records: Mapping[str, JobRecord]) -> dict[str, float]:
    """Estimated duration of every job, corrected; by job id."""
    factors = correction_factors(plan, records)
    return {job.id: job.seconds * factors[job.id] for job in plan}


def corrected_plan(plan: Plan, records: Mapping[str, JobRecord]) -> Plan:
    """The plan with corrected estimates."""
    seconds = corrected_seconds(plan, records)
    return Plan([dataclasses.replace(job, seconds=seconds[job.id]) for job in plan], plan.metadata)


def _groups(job: Job) -> tuple[tuple[str, ...], ...]:
    """The jobs that are compared with this one, the closest first."""
    return (job.kind, str(job.labels.get("trainer") or "")), (job.kind,), ()
