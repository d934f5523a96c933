"""Small plans for schedulers on a fake executor and a fake clock."""

from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import read_records
from mvlpt.schedule.retry import SchedulerOptions
from mvlpt.schedule.scheduler import Scheduler


def job(name, needs=(), **fields):
    return Job(name, fields.pop("kind", "command"), f"job-{name}", ("true",), tuple(needs), **fields)


def chain():
    """Three jobs in a row, and one alone."""
    return Plan([job("a"), job("b", "a"), job("c", "b"), job("d")])


def run(plan, root, executor, listener=None, **options):
    """Runs a plan by the executor's clock; returns the outcome."""
    return Scheduler(
        plan, root, executor, SchedulerOptions(**options), listener, executor.clock, executor.clock.timer
    ).run()


def states(root, plan):
    """State by job id, as the journal has it."""
    return {ident: record.state for ident, record in read_records(root, plan).items()}
