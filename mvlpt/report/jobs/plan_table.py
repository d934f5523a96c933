"""What a plan contains and how long it takes: its jobs by kind, trainer and arm, and bounds on its time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mvlpt.arms import arm_label, arm_order
from mvlpt.report.durations import duration, memory
from mvlpt.report.sheets import Column, Entry, Sheet
from mvlpt.schedule import KINDS, Job, JobRecord, Plan, Slot, lower_bound, simulate, upward_ranks

Category = tuple[str, str, str]


@dataclass(frozen=True)
class Times:
    """How long a plan takes, seconds, by its estimates.

    Attributes:
        work: the sum over all jobs.
        critical_path: the longest chain of jobs that need each other; no number of slots is faster.
        lower: the larger of the critical path and the work divided by the slots.
        expected: what the scheduler would need if the estimates were right.
        slots: the number of slots for which this was computed.
    """

    work: float
    critical_path: float
    lower: float
    expected: float
    slots: int

    def __str__(self) -> str:
        slots = "1 slot" if self.slots == 1 else f"{self.slots} slots"
        return (
            f"On {slots}: about {duration(self.expected)}; no schedule needs less than {duration(self.lower)}"
            f" (critical path {duration(self.critical_path)}, all work {duration(self.work)})"
        )


def category_of(job: Job) -> Category:
    """Kind, trainer and arm: the jobs that are counted together."""
    return (job.kind, str(job.labels.get("trainer") or ""), str(job.labels.get("arm") or ""))


def category_rank(category: Category) -> tuple[int, str, int, str]:
    """Sorts kinds in the order of the work, then trainers, then arms as the tables of results do."""
    kind, trainer, arm = category
    return (KINDS.index(kind), trainer, *arm_order(arm))


def critical_path(plan: Plan, seconds: Mapping[str, float]) -> list[str]:
    """The chain of jobs, first to last, with the largest sum of ``seconds``; of equal ones the first in the plan."""
    ranks = upward_ranks(plan, seconds)
    order = {job.id: index for index, job in enumerate(plan)}
    chain: list[str] = []
    after = list(order)
    while after:
        chain.append(min(after, key=lambda ident: (-ranks[ident], order[ident])))
        after = list(plan.graph.successors(chain[-1]))
    return chain


def plan_times(plan: Plan, slots: Sequence[Slot], records: Mapping[str, JobRecord] | None = None) -> Times:
    """The times of all jobs that have not finished, on these slots."""
    seconds = {job.id: 0.0 if _finished(records, job.id) else job.seconds for job in plan}
    return Times(
        work=sum(seconds.values()),
        critical_path=max(upward_ranks(plan, seconds).values(), default=0.0),
        lower=lower_bound(plan, seconds, len(slots)),
        expected=simulate(plan, slots, seconds).makespan,
        slots=len(slots),
    )


def _finished(records: Mapping[str, JobRecord] | None, ident: str) -> bool:
    return bool(records) and ident in records and records[ident].state == "finished"


def plan_sheet(plan: Plan, records: Mapping[str, JobRecord] | None = None, title: str = "") -> Sheet:
    """One line for each kind, trainer and arm, in the order of the work; the last is the sum.

    Args:
        plan: the jobs.
        records: what has happened to them; a column then shows how many have finished.
        title: above the table.
    """
    jobs: dict[Category, list[Job]] = defaultdict(list)
    for job in plan:
        jobs[category_of(job)].append(job)
    finished = Counter(category_of(job) for job in plan if _finished(records, job.id))
    begun = sum(finished.values()) > 0
    columns = [Column((name,), left=True) for name in ("kind", "trainer", "arm")]
    columns += [Column((name,)) for name in ("jobs", *(["finished"] if begun else []))]
    columns += [Column(lines) for lines in (("each",), ("together",), ("memory",))]
    rows: list[tuple[Entry, ...] | None] = []
    for category in sorted(jobs, key=category_rank):
        rows.append(_row(category, jobs[category], finished[category] if begun else None))
    rows += [None, _row(("all", "", ""), list(plan), sum(finished.values()) if begun else None)]
    return Sheet(title or f"Plan of {len(plan)} jobs", tuple(columns), tuple(rows), keys=3)


def _row(category: Category, jobs: list[Job], finished: int | None) -> tuple[Entry, ...]:
    seconds = [job.seconds for job in jobs]
    peak = max((job.memory_mb for job in jobs), default=0.0)
    low, high = duration(min(seconds, default=0.0)), duration(max(seconds, default=0.0))
    texts = [category[0], category[1], arm_label(category[2]), f"{len(jobs):,}"]
    texts += [] if finished is None else [f"{finished:,}"]
    texts += [low if low == high else f"{low} – {high}", duration(sum(seconds)), memory(peak)]
    return tuple(Entry(text, bold=category[0] == "all") for text in texts)
