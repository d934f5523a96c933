"""A simulated run: a plan on slots by durations alone, with the decisions of the real scheduler."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.priorities import lower_bound, upward_ranks
from mvlpt.schedule.slots import Slot, assign


@dataclass(frozen=True)
class Placement:
    """A job on a slot, from ``start`` to ``end``, in seconds from the beginning."""

    job: str
    slot: Slot
    start: float
    end: float


@dataclass(frozen=True)
class Simulation:
    """A schedule.

    Attributes:
        placements: in the order in which they start.
        makespan: seconds from the first start to the last end.
        lower_bound: seconds that no schedule on as many slots can beat.
    """

    placements: tuple[Placement, ...]
    makespan: float
    lower_bound: float


def simulate(
    plan: Plan,
    slots: Sequence[Slot],
    seconds: Mapping[str, float] | None = None,
    actual: Mapping[str, float] | None = None,
) -> Simulation:
    """Simulates the run of a plan.

    Args:
        plan: the jobs.
        slots: where they run.
        seconds: the estimated duration of each job, which decides the order; by default the plan's estimates.
        actual: the duration that each job turns out to have; by default the estimate.
    """
    estimated = {job.id: job.seconds for job in plan} if seconds is None else seconds
    real = estimated if actual is None else actual
    ranks = upward_ranks(plan, estimated)
    waiting_for = {job.id: len(set(job.needs)) for job in plan}
    graph = plan.graph
    ready = [(-ranks[ident], ident) for ident, count in waiting_for.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str, Slot]] = []
    memory: dict[str, float] = {}  # by slot
    placements: list[Placement] = []
    now = 0.0
    while ready or running:
        started = set()
        for ident, slot in assign([(i, plan[i].memory_mb) for _, i in sorted(ready)], slots, memory):
            placements.append(Placement(ident, slot, now, now + real[ident]))
            heapq.heappush(running, (now + real[ident], ident, slot))
            memory[slot.name] = plan[ident].memory_mb
            started.add(ident)
        ready = [entry for entry in ready if entry[1] not in started]
        now = running[0][0]
        while running and running[0][0] == now:
            _, ident, slot = heapq.heappop(running)
            del memory[slot.name]
            for after in graph.successors(ident):
                waiting_for[after] -= 1
                if not waiting_for[after]:
                    ready.append((-ranks[after], after))
    return Simulation(tuple(placements), now, lower_bound(plan, real, len(slots)))
