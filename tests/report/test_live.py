"""The display of a running plan, drawn from made-up snapshots."""

import io
import json

import pytest
from rich.console import Console
from support.snapshots import NOW, plan_of, running, snapshot, write_progress

from mvlpt.report.jobs.changes import Changes, counts_text
from mvlpt.report.jobs.job_files import Progress, last_line, read_progress
from mvlpt.report.jobs.live import ProgressReader, frame, tail
from mvlpt.report.jobs.watch import Watch

NAMES = [f"MVLPT-VPT/single/1shot/seed{s}/task{t}" for s in (1, 2) for t in range(4)]


def drawn(shot, width=110, height=24, terminal=True):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=terminal, color_system=None)
    console.print(frame(shot, ProgressReader(), width=width, height=height, now=NOW))
    return console.file.getvalue()


@pytest.fixture
def busy(tmp_path):
    """Two jobs run, one reports nothing; the others are in every other state."""
    write_progress(tmp_path, NAMES[0], 10, 40, "epoch 8/30 loss 0.41 acc 62.5 [red]not markup[/red]")
    states = {
        NAMES[0]: running(),
        NAMES[1]: running("cpu1", since=3725, attempts=2, micro_batches=4),
        NAMES[2]: {"state": "finished"},
        NAMES[3]: {"state": "failed"},
        NAMES[4]: {"state": "blocked"},
        NAMES[5]: {"state": "cancelled"},
    }
    return snapshot(plan_of(*NAMES), tmp_path, states, slots=3)


def test_a_frame_shows_everything(busy):
    lines = drawn(busy, width=150).splitlines()
    assert lines[0].startswith(f"cpu0 {NAMES[0]}")
    assert " 25% epoch 8/30 loss 0.41 acc 62.5 [red]not markup" in lines[0]
    assert lines[0].rstrip().endswith("1:15")
    assert f"{NAMES[1]} (attempt 2) (1/4 batches)" in lines[1]
    assert lines[1].rstrip().endswith("1:02:05")
    assert "1 of 3 slots idle" in lines[2]
    assert "1 of 8 finished, 2 running, 2 waiting, 1 failed, 1 blocked, 1 cancelled" in lines[4]
    assert "3:20  about 12 min 34 s left" in lines[5]


@pytest.mark.parametrize("width", [20, 30, 45, 59, 60, 80, 89, 90, 120, 250])
@pytest.mark.parametrize("height", [6, 24])
@pytest.mark.parametrize("slots", [1, 2, 130])
def test_a_frame_fits_any_terminal(tmp_path, width, height, slots):
    names = [f"MVLPT-CoOp/transfer/16shot/from-seed1-2-3/seed1/source{i}/target{i}" for i in range(slots)]
    for name in names[::2]:
        write_progress(tmp_path, name, 3, 4, "epoch 3/30 loss 0.4 " + "x" * 300)
    shot = snapshot(plan_of(*names, "last"), tmp_path, {name: running() for name in names}, slots=slots)
    lines = drawn(shot, width, height).splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) < height
    text = "\n".join(lines)
    assert "0 of" in text
    if slots == 130 and width > 50:
        shown = sum(line.startswith("cpu") for line in lines)
        assert f"{130 - shown} more jobs run" in text


def test_a_frame_while_it_stops_and_when_nothing_runs(tmp_path):
    plan = plan_of("a")
    assert "Ctrl-C again" in drawn(snapshot(plan, tmp_path, {"a": running()}, stopping=True))
    over = drawn(snapshot(plan, tmp_path, {"a": {"state": "finished"}}))
    assert "1 of 1 finished" in over
    assert "left" not in over
    assert "2 of 2 slots idle" in over


def test_long_names_keep_their_end():
    assert tail("abcdef", 6) == "abcdef"
    assert tail("abcdef", 4) == "…def"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"done": 1}',
        '{"done": "x", "total": 2}',
        '{"done": NaN, "total": 2}',
        "[" * 9999,
        "\xff",
    ],
)
def test_broken_progress_is_no_progress(tmp_path, content):
    (tmp_path / "progress.json").write_text(content, encoding="latin-1")
    assert read_progress(tmp_path) is None


def test_progress_is_plain_and_between_0_and_1(tmp_path):
    assert read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text(json.dumps({"done": 9, "total": 3, "text": "a\x1b[2Jb\nc\x07"}))
    assert read_progress(tmp_path) == Progress(9, 3, "ab c")
    assert read_progress(tmp_path).share == 1
    assert Progress(-1, 0).share == 0


def test_progress_is_read_again_after_a_second_and_for_each_attempt(tmp_path):
    time = [0.0]
    reader = ProgressReader(lambda: time[0])
    shot = snapshot(plan_of("a"), tmp_path, {"a": running()})
    (ident,) = shot.records
    write_progress(tmp_path, "a", 1, 4, "")
    assert reader(shot, ident).done == 1
    write_progress(tmp_path, "a", 2, 4, "")
    assert reader(shot, ident).done == 1
    time[0] = 1.0
    assert reader(shot, ident).done == 2
    shot.records[ident].attempts = 2
    assert reader(shot, ident) is None


def test_the_last_line_of_a_log(tmp_path):
    assert last_line(tmp_path) == ""
    (tmp_path / "output.log").write_bytes(b"x" * 20_000 + b"\nfirst\n\x1b[31mError: caf\xc3\xa9 \xff\x1b[0m\r\n\n  \n")
    assert last_line(tmp_path) == "Error: café \ufffd"


def test_changes_are_reported_once(tmp_path):
    plan = plan_of("a", "b", "c", "d", needs={"c": ["b"], "d": ["c"]})
    changes = Changes()

    def reported(**states):
        return [(one.what, one.text) for one in changes(snapshot(plan, tmp_path, states))]

    over = {"state": "finished", "attempts": 1, "ended": 1.0}
    assert reported(a=over) == []  # of an earlier run
    assert reported(a=over, b=running("cpu1")) == [("started", "b on cpu1")]
    assert reported(a=over, b=running("cpu1")) == []
    folder = write_progress(tmp_path, "b", 1, 2, "")
    (folder / "output.log").write_text("no disk\n")
    again = {"state": "waiting", "attempts": 1, "ended": 2.0, "seconds": 3.0, "reason": "ended with status 1"}
    assert reported(a=over, b=again) == [
        ("again", f"b after 3.0 s: ended with status 1; last output: no disk (log: {folder}/output.log)")
    ]
    assert reported(a=over, b=running(attempts=2)) == [("started", "b on cpu0, attempt 2")]
    failed = {"state": "failed", "attempts": 2, "ended": 4.0, "status": 1}
    blocked = {"state": "blocked", "reason": "needs 'b', which failed"}
    assert [what for what, _ in reported(a=over, b=failed, c=blocked, d=blocked)] == ["failed", "blocked"]
    assert reported(a=over, b=failed, c=blocked, d=blocked) == []
    assert reported(a=over, b=over, c=blocked, d=blocked) == [("finished", "b in 0.0 s")]


def test_blocked_jobs_make_one_change(tmp_path):
    plan = plan_of("a", "b", "c", needs={"b": ["a"], "c": ["b"]})
    changes = Changes()
    changes(snapshot(plan, tmp_path, {"a": running()}))
    blocked = {"state": "blocked", "reason": "needs 'a', which failed"}
    failed = {"state": "failed", "attempts": 1, "status": 1, "ended": 1.0}
    found = changes(snapshot(plan, tmp_path, {"a": failed, "b": blocked, "c": blocked}))
    assert found[1].text == "b and 1 more: needs 'a', which failed"


def test_counts():
    shot = snapshot(plan_of("a", "b", "c"), None, {"a": {"state": "finished"}, "b": {"state": "running"}})
    assert counts_text(shot.plan, shot.records) == "1 of 3 finished, 1 running, 1 waiting"


def watched(tmp_path, terminal, live=True):
    """What a whole run prints; a minute passes in the middle."""
    time = [0.0]
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=terminal, color_system=None)
    plan = plan_of("a", "b", needs={"b": ["a"]})
    failed = {"state": "failed", "attempts": 1, "ended": 3.0, "status": 1, "reason": "ended with status 1"}
    with Watch(console, live, lambda: time[0]) as watch:
        for states in ({}, {"a": running()}, {"a": running()}, {"a": failed, "b": {"state": "blocked"}}):
            watch(snapshot(plan, tmp_path, states))
            time[0] += 31.0
    return console.file.getvalue()


def test_lines_without_a_terminal(tmp_path):
    text = watched(tmp_path, terminal=False)
    assert "\x1b" not in text
    assert "\r" not in text
    kinds = [line.split()[1] if line[2] == ":" else line for line in text.splitlines()]
    assert kinds == [
        "0 of 2 finished, 2 waiting; 2 slots, about 12 min 34 s left",
        "started",
        "0 of 2 finished, 1 running, 1 waiting; 2 slots, about 12 min 34 s left",
        "failed",
        "blocked",
        "0 of 2 finished, 1 failed, 1 blocked in 3 min 20 s",
    ]
    assert watched(tmp_path, terminal=True, live=False).count("started") == 1


def test_a_table_and_failures_on_a_terminal(tmp_path):
    text = watched(tmp_path, terminal=True)
    assert "\x1b[" in text  # the picture is drawn over the one before
    assert "started" not in text
    assert text.count("ended with status 1") == 1
    assert text.rstrip().endswith("0 of 2 finished, 1 failed, 1 blocked in 3 min 20 s")
