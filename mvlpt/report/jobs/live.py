"""The running plan on a terminal: each busy slot with its job, jobs by state, and the time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mvlpt.report.durations import clock, duration
from mvlpt.report.jobs.job_files import Progress, read_progress
from mvlpt.schedule import Job, JobRecord, Snapshot, attempt_folder

STATE_STYLES = {
    "running": "cyan",
    "waiting": "",
    "finished": "green",
    "failed": "bold red",
    "blocked": "red",
    "cancelled": "magenta",
}
SECONDS = 1.0  # a progress file is read again after this


@dataclass
class ProgressReader:
    """Reads progress files at most once a second each."""

    clock: Callable[[], float] = time.monotonic
    _held: dict[str, tuple[int, float, Progress | None]] = field(default_factory=dict)

    def __call__(self, snapshot: Snapshot, ident: str) -> Progress | None:
        """The progress of the running attempt of a job."""
        number, now = snapshot.records[ident].attempts, self.clock()
        held = self._held.get(ident)
        if held is None or held[0] != number or now - held[1] >= SECONDS:
            progress = read_progress(attempt_folder(snapshot.root, ident, number))
            held = self._held[ident] = (number, now, progress)
        return held[2]


def frame(
    snapshot: Snapshot,
    progress: Callable[[Snapshot, str], Progress | None],
    *,
    width: int,
    height: int,
    now: float | None = None,
) -> RenderableType:
    """One picture of the running plan, no larger than ``width`` characters and ``height`` lines.

    Args:
        snapshot: the state of everything.
        progress: of a job that runs.
        width: of the terminal.
        height: of the terminal; slots for which there is no room are counted.
        now: Unix seconds; by default the present.
    """
    moment = time.time() if now is None else now
    busy = [(slot.name, ident) for slot, ident in snapshot.slots if ident is not None]
    idle = len(snapshot.slots) - len(busy)
    room = max(1, height - 5)
    shown = busy if len(busy) <= room else busy[: room - 1]
    parts: list[RenderableType] = []
    if shown:
        parts.append(_slots(snapshot, shown, progress, width, moment))
    rest = [f"{len(busy) - len(shown)} more jobs run"] if len(shown) < len(busy) else []
    rest += [f"{idle} of {len(snapshot.slots)} slots idle"] if idle else []
    if rest:
        parts.append(Text("; ".join(rest), style="dim", no_wrap=True, overflow="ellipsis"))
    parts.append(_totals(snapshot, width))
    return Group(*parts)


def _slots(
    snapshot: Snapshot,
    busy: list[tuple[str, str]],
    progress: Callable[[Snapshot, str], Progress | None],
    width: int,
    now: float,
) -> Table:
    """A line for each; narrow terminals lose the text first, then the bar."""
    slot_width = min(max(len(name) for name, _ in busy), 14)
    bar = 0 if width < 60 else 12 if width < 100 else 20
    fixed = slot_width + (bar + 1 if bar else 0) + 5 + 8 + 2
    names = max(len(_name(snapshot, ident)) for _, ident in busy)
    words = 0 if width < 90 else min(46, max(0, width - fixed - min(names, 48) - 2))
    name_width = max(8, min(names, width - fixed - (words + 1 if words else 0)))
    table = Table.grid(padding=(0, 1, 0, 0))
    for size, justify in ((slot_width, "left"), (name_width, "left"), (bar, "left"), (4, "right"), (words, "left")):
        if size:
            table.add_column(width=size, justify=justify, no_wrap=True, overflow="ellipsis")
    table.add_column(width=7, justify="right", no_wrap=True)
    for name, ident in busy:
        state, record = progress(snapshot, ident), snapshot.records[ident]
        cells: list[RenderableType] = [Text(name, style="cyan"), Text(tail(_name(snapshot, ident), name_width))]
        if bar:
            cells.append(ProgressBar(total=1.0, completed=state.share if state else 0.0, width=bar))
        cells.append(Text(f"{state.share:.0%}" if state else ""))
        cells += [Text(state.text if state else "", style="dim")] if words else []
        cells.append(Text(clock(now - record.started) if record.started else "", style="dim"))
        table.add_row(*cells)
    return table


def _name(snapshot: Snapshot, ident: str) -> str:
    """A job's name, and what is unusual about this attempt."""
    record: JobRecord = snapshot.records[ident]
    job: Job = snapshot.plan[ident]
    name = f"{job.name} (attempt {record.attempts})" if record.attempts > 1 else job.name
    return f"{name} (1/{record.micro_batches} batches)" if record.micro_batches > 1 else name


def tail(text: str, length: int) -> str:
    """The end of a long name, which says more than its beginning."""
    return text if len(text) <= length else "…" + text[len(text) - length + 1 :]


def _totals(snapshot: Snapshot, width: int) -> RenderableType:
    counts = Counter(record.state for record in snapshot.records.values())
    total = len(snapshot.plan)
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{counts['finished']:,} of {total:,} finished", style="bold")
    for state, style in STATE_STYLES.items():
        if counts[state] and state != "finished":
            line.append(", ")
            line.append(f"{counts[state]:,} {state}", style=style)
    times = Text(no_wrap=True, overflow="ellipsis")
    times.append(clock(snapshot.elapsed), style="dim")
    if snapshot.stopping:
        times.append("  stopping: running jobs save their state; Ctrl-C again ends them at once", style="bold yellow")
    elif counts["running"] or counts["waiting"]:
        times.append(f"  about {duration(snapshot.time_left)} left")
    return Group(_states_bar(counts, total, min(width, 60)), line, times)


def _states_bar(counts: Mapping[str, int], total: int, width: int) -> Text:
    """A bar of all jobs, in the colours of their states; every state with a job is seen."""
    bar = Text(no_wrap=True)
    order = ("finished", "running", "failed", "blocked", "cancelled")
    left = width
    for state in order:
        if counts[state]:
            size = min(left, max(1, int(width * counts[state] / max(1, total))))
            bar.append("━" * size, style=STATE_STYLES[state])
            left -= size
    return bar.append("━" * max(0, left), style="bright_black")
