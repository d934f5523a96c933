"""Tables, times and pictures of plans, against sums and paths worked out here."""

import itertools
import random

import networkx as nx
import pytest
from PIL import Image

from mvlpt.errors import ConfigError
from mvlpt.report import clock, duration, memory
from mvlpt.report.jobs.plan_figure import draw_plan, plan_boxes, save_plan_figure
from mvlpt.report.jobs.plan_table import category_of, critical_path, plan_sheet, plan_times
from mvlpt.schedule.jobs import Job, Plan, job_id
from mvlpt.schedule.records import JobRecord
from mvlpt.schedule.slots import cpu_slots


def job(name, kind="train", seconds=1.0, needs=(), memory_mb=0.0, **labels):
    return Job(job_id(name), kind, name, ("true",), tuple(map(job_id, needs)), (), (), seconds, memory_mb, labels)


@pytest.fixture
def plan():
    tuned = [
        job(f"VPT/{arm}/seed{seed}", seconds=10 * seed, needs=["f"], memory_mb=900, trainer="VPT", arm=arm)
        for arm in ("single", "all")
        for seed in (1, 2)
    ]
    report = job("report", "report", 2.0, [one.name for one in tuned])
    return Plan([report, *tuned, job("f", "features", 5.0)])


def texts(sheet):
    return [[entry.text for entry in row] for row in sheet.rows if row is not None]


def test_jobs_are_counted_by_kind_trainer_and_arm(plan):
    assert texts(plan_sheet(plan)) == [
        ["features", "", "", "1", "5.0 s", "5.0 s", ""],
        ["train", "VPT", "single-task", "2", "10 s – 20 s", "30 s", "900 MiB"],
        ["train", "VPT", "all-together", "2", "10 s – 20 s", "30 s", "900 MiB"],
        ["report", "", "", "1", "2.0 s", "2.0 s", ""],
        ["all", "", "", "6", "2.0 s – 20 s", "1 min 07 s", "900 MiB"],
    ]
    records = {one.id: JobRecord(state="finished" if one.kind == "features" else "waiting") for one in plan}
    sheet = plan_sheet(plan, records)
    assert sheet.columns[4].lines == ("finished",)
    assert [row[4] for row in texts(sheet)] == ["1", "0", "0", "0", "1"]


def test_times(plan):
    times = plan_times(plan, cpu_slots(2))
    assert (times.work, times.critical_path, times.lower) == (67, 27, 33.5)
    assert times.expected == 5 + 30 + 2  # 20 beside 20, then 10 beside 10
    assert str(times) == (
        "On 2 slots: about 37 s; no schedule needs less than 34 s (critical path 27 s, all work 1 min 07 s)"
    )
    done = {one.id: JobRecord(state="finished" if one.kind == "features" else "waiting") for one in plan}
    assert plan_times(plan, cpu_slots(1), done).expected == 62
    assert plan_times(Plan([]), cpu_slots(1)).expected == 0


def random_plan(seed, count=40):
    rng = random.Random(seed)
    jobs = []
    for i in range(count):
        needs = [f"j{k}" for k in rng.sample(range(i), min(i, rng.randint(0, 3)))]
        jobs.append(job(f"j{i}", rng.choice(["train", "adapt"]), rng.randint(1, 9), needs, arm=rng.choice("xy")))
    return Plan(jobs)


@pytest.mark.parametrize("seed", range(5))
def test_the_critical_path_is_the_longest(seed):
    plan = random_plan(seed)
    seconds = {one.id: one.seconds for one in plan}
    graph = nx.DiGraph([("start", one.id, {"w": one.seconds}) for one in plan])
    graph.add_edges_from((need, one.id, {"w": one.seconds}) for one in plan for need in one.needs)
    chain = critical_path(plan, seconds)
    assert sum(seconds[ident] for ident in chain) == nx.dag_longest_path_length(graph, weight="w")
    assert all(before in plan[after].needs for before, after in itertools.pairwise(chain))
    assert not plan[chain[0]].needs


@pytest.mark.parametrize("largest", [40, 39])
def test_a_picture_loses_no_job_and_no_arrow(largest):
    plan = random_plan(1)
    graph, boxes = plan_boxes(plan, largest)
    assert set(graph) == set(boxes)
    assert sum(jobs for *_, jobs in graph.edges(data="jobs")) == sum(len(one.needs) for one in plan)
    layer = nx.get_node_attributes(graph, "layer")
    assert all(layer[one] < layer[other] for one, other in graph.edges)
    if largest == 40:
        assert len(boxes) == 40
    else:
        assert len(boxes) == len({(layer[key], *key[1:]) for key in boxes}) < 40
        counts = [int(box.lines[0].split(": ")[1].split()[0]) for box in boxes.values()]
        assert sum(counts) == 40
        assert {key[1:] for key in boxes} == {category_of(one) for one in plan}


def test_boxes_hold_their_text_and_do_not_overlap(plan):
    figure = draw_plan(plan, "A plan")
    axes, renderer = figure.axes[0], figure.canvas.get_renderer()
    boxes = [patch.get_window_extent(renderer) for patch in axes.patches if patch.get_alpha() == 0.22]
    assert len(boxes) == len(plan)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    for text in axes.texts[1:]:  # after the title
        words = text.get_window_extent(renderer)
        assert any(box.x0 <= words.x0 and words.x1 <= box.x1 and box.y0 <= words.y0 < box.y1 for box in boxes)


def test_pictures_are_files(plan, tmp_path):
    with Image.open(save_plan_figure(plan, tmp_path / "new" / "plan.png")) as image:
        assert min(image.size) > 200
    assert "<svg" in save_plan_figure(plan, tmp_path / "plan.svg").read_text()
    assert save_plan_figure(Plan([]), tmp_path / "empty.png").exists()
    with pytest.raises(ConfigError, match=r"plan.doc; name a file that ends in .png, .svg or .pdf"):
        save_plan_figure(plan, tmp_path / "plan.doc")


def test_times_as_people_read_them():
    seconds = [0, 0.44, 9.97, 59.4, 59.6, 200, 3599.7, 7500, 48 * 3600, 90 * 3600, float("inf")]
    assert [duration(one) for one in seconds] == [
        "0.0 s", "0.4 s", "10 s", "59 s", "1 min 00 s", "3 min 20 s", "1 h 00 min", "2 h 05 min", "2 d 00 h",
        "3 d 18 h", "–",
    ]  # fmt: skip
    assert [clock(one) for one in (0, 75.9, 3725, -3, float("nan"))] == ["0:00", "1:15", "1:02:05", "0:00", "–"]
    assert [memory(one) for one in (0, 300.2, 2560, float("inf"))] == ["", "300 MiB", "2.5 GiB", ""]
