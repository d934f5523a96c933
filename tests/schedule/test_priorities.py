"""Ranks, bounds, placement and the simulator, against brute force and what no schedule may do."""

import itertools
import math

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.priorities import lower_bound, upward_ranks
from mvlpt.schedule.simulation import simulate
from mvlpt.schedule.slots import Slot, assign, cpu_slots, gpu_slots

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other processes may need the cores


def plan_of(durations, arrows=(), memory=None):
    """Jobs j0, j1, ...; an arrow (a, b) says that b needs a."""
    needs = {index: tuple(f"j{a}" for a, b in arrows if b == index) for index in range(len(durations))}
    return Plan(
        [
            Job(
                f"j{index}",
                "command",
                f"j{index}",
                ("true",),
                needs[index],
                seconds=seconds,
                memory_mb=memory[index] if memory else 0,
            )
            for index, seconds in enumerate(durations)
        ]
    )


@st.composite
def plans(draw, most=14):
    count = draw(st.integers(1, most))
    durations = draw(st.lists(st.floats(0, 50), min_size=count, max_size=count))
    pairs = list(itertools.combinations(range(count), 2))
    arrows = draw(st.lists(st.sampled_from(pairs), max_size=2 * count, unique=True)) if pairs else []
    memory = draw(st.lists(st.floats(0, 30), min_size=count, max_size=count))
    return plan_of(durations, arrows, memory)


@patient
@given(plans())
def test_upward_rank_is_the_longest_path_that_begins_at_the_job(plan):
    seconds = {job.id: job.seconds for job in plan}
    ranks = upward_ranks(plan, seconds)
    for job in plan:
        paths = [[job.id]] + [
            path for end in plan.dependants(job.id) for path in nx.all_simple_paths(plan.graph, job.id, end)
        ]
        assert ranks[job.id] == pytest.approx(max(sum(seconds[ident] for ident in path) for path in paths))


SLOTS = st.one_of(
    st.integers(1, 5).map(cpu_slots),
    st.tuples(st.integers(1, 3), st.integers(1, 3)).map(lambda n: gpu_slots([20.0] * n[0], n[1])),
)


@patient
@given(plans(), SLOTS)
def test_simulated_schedules_keep_every_rule(plan, slots):
    result = simulate(plan, slots)
    where = {placement.job: placement for placement in result.placements}
    assert sorted(where) == sorted(job.id for job in plan)
    assert len(result.placements) == len(plan)
    for job in plan:
        assert where[job.id].end == where[job.id].start + job.seconds
        assert all(where[need].end <= where[job.id].start for need in job.needs)
    for one, other in itertools.combinations(result.placements, 2):
        overlap = one.start < other.end and other.start < one.end
        assert not (one.slot.name == other.slot.name and overlap)
    assert result.makespan == max(placement.end for placement in result.placements)
    assert result.makespan >= result.lower_bound - 1e-9
    for moment in {placement.start for placement in result.placements}:
        for device in {slot.device for slot in slots}:
            here = [p for p in result.placements if p.slot.device == device and p.start <= moment < p.end]
            if len(here) > 1 and math.isfinite(here[0].slot.memory_mb):
                share = 20.0 / sum(slot.device == device for slot in slots)
                assert sum(plan[p.job].memory_mb or share for p in here) <= 20.0 + 1e-5


@patient
@given(plans(), st.integers(1, 4))
def test_list_scheduling_is_never_worse_than_grahams_bound(plan, count):
    """Graham 1969: any list schedule is within 2 - 1/m of the optimum, and so of nothing less than the lower bound."""
    result = simulate(plan, cpu_slots(count))
    work = sum(job.seconds for job in plan)
    chain = max(upward_ranks(plan, {job.id: job.seconds for job in plan}).values())
    assert result.makespan <= work / count + (1 - 1 / count) * chain + 1e-6


def test_the_longest_chain_goes_first():
    plan = plan_of([1, 1, 1, 5], [(1, 3)])  # j1 -> j3 is the longest chain
    result = simulate(plan, cpu_slots(2))
    assert result.placements[0].job == "j1"
    assert result.makespan == 6 == result.lower_bound


def test_durations_may_turn_out_otherwise():
    plan = plan_of([2, 3], [(0, 1)])
    assert simulate(plan, cpu_slots(1), actual={"j0": 5.0, "j1": 1.0}).makespan == 6
    assert simulate(Plan([]), cpu_slots(1)).makespan == 0


def test_small_jobs_share_a_gpu_as_far_as_their_memory_fits():
    slots = gpu_slots([100.0], share=3)
    assert [slot.name for slot in slots] == ["gpu0.0", "gpu0.1", "gpu0.2"]
    chosen = assign([("a", 60.0), ("b", 60.0), ("c", 30.0)], slots, {})
    assert [job for job, _ in chosen] == ["a"], "b is more urgent than c and keeps its place in the queue"
    assert [job for job, _ in assign([("c", 30.0), ("d", 10.0)], slots, {"gpu0.0": 60.0})] == ["c", "d"]
    assert [job for job, _ in assign([("e", 500.0)], slots, {})] == ["e"], "on an empty device any job may try"
    assert assign([("e", 500.0)], slots, {"gpu0.1": 1.0}) == []
    assert len(assign([("x", 0.0), ("y", 0.0), ("z", 0.0)], slots, {})) == 3, "unknown memory: an equal share"


def test_jobs_go_to_the_device_with_most_memory_left():
    slots = gpu_slots([50.0, 100.0], share=2)
    chosen = assign([("a", 30.0), ("b", 30.0), ("c", 45.0)], slots, {})
    assert [(job, slot.device) for job, slot in chosen] == [("a", "cuda:1"), ("b", "cuda:1"), ("c", "cuda:0")]


def test_lower_bound_is_the_longer_of_chain_and_share():
    plan = plan_of([4, 4, 4, 4])
    seconds = {job.id: job.seconds for job in plan}
    assert lower_bound(plan, seconds, 2) == 8
    assert lower_bound(plan, seconds, 100) == 4
    assert lower_bound(Plan([]), {}, 3) == 0
    assert Slot("a").memory_mb == math.inf
