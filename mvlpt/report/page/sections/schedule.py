"""The schedule: what ran when on which slot, as it was planned and as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.io import clean_text, counted
from mvlpt.report.durations import duration
from mvlpt.report.graphs import COLOURS, INK, new_figure, text_width
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.svg import Figure, inline_svg, page_style
from mvlpt.schedule import KINDS, Slot, simulate

FAILED = "#B3261E"
REPORT = "report"  # the job that writes this page is not on it
PAUSE = 120.0  # seconds in which nothing ran, from which on they are cut out
UNITS = ((3 * 3600, 3600, "hours"), (300, 60, "minutes"), (0, 1, "seconds"))
LARGEST = 3000  # bars beyond which a panel is drawn as an image
SLOTS = 64  # rows that are drawn


@dataclass(frozen=True)
class Bar:
    """A job on a slot: its kind, whether it failed, and from when to when, in seconds from the start."""

    slot: str
    kind: str
    failed: bool
    start: float
    end: float


def build(content: Content) -> Section | None:
    """Nothing without a plan, or before a job has started."""
    real, paused = without_pauses(_real(content)) if content.plan is not None else ([], 0.0)
    if not real:
        return None
    slots = list(dict.fromkeys(bar.slot for bar in sorted(real, key=lambda bar: (len(bar.slot), bar.slot))))
    planned = _planned(content, slots)
    figure = content.attempt(lambda: _figure(planned, real, slots))
    took, expected = (max((bar.end for bar in bars), default=0.0) for bars in (real, planned))
    busy = sum(bar.end - bar.start for bar in real)
    share = busy / (took * len(slots)) if took else 0.0
    pauses = f", without pauses of {duration(paused)} altogether in which nothing ran" if paused else ""
    intro = (
        f"{len(real)} jobs on {counted(len(slots), 'slot')} took {duration(took)} from the first start to"
        f" the last end; the plan's estimates gave {duration(expected)}. Slots were busy {share:.0%} of the time."
        f" The last attempt of each job is shown{pauses}; colours are kinds of jobs."
    )
    return Section("schedule", "Schedule", "figures.html.jinja", {"intro": intro, "rows": [[figure] if figure else []]})


def _real(content: Content) -> list[Bar]:
    """What ran, in seconds from the first start."""
    records = [record for record in content.records.values() if record.started]
    first = min((record.started for record in records), default=0.0)
    latest = max((max(record.started, record.ended or 0.0) for record in records), default=0.0)
    return [
        Bar(
            clean_text(record.slot or "?", 30),
            job.kind,
            record.state in ("failed", "cancelled"),
            record.started - first,
            max(record.started, record.ended or latest) - first,
        )
        for job in content.plan
        if (record := content.records[job.id]).started and job.kind != REPORT
    ]


def without_pauses(bars: Sequence[Bar]) -> tuple[list[Bar], float]:
    """The bars without the long pauses in which nothing ran, as between two days; and the seconds cut out."""
    shifted, cut, reached = [], 0.0, 0.0
    for bar in sorted(bars, key=lambda bar: bar.start):
        if bar.start - reached > PAUSE:
            cut += bar.start - reached
        reached = max(reached, bar.end)
        shifted.append(dataclasses.replace(bar, start=bar.start - cut, end=bar.end - cut))
    return shifted, cut


def _planned(content: Content, slots: Sequence[str]) -> list[Bar]:
    """The schedule by the plan's estimates on as many slots."""
    found = simulate(content.plan, [Slot(name) for name in slots])
    return [
        Bar(one.slot.name, content.plan[one.job].kind, False, one.start, one.end)
        for one in found.placements
        if content.plan[one.job].kind != REPORT
    ]


def _figure(planned: Sequence[Bar], real: Sequence[Bar], slots: Sequence[str]) -> Figure:
    rows = list(slots)[:SLOTS]
    with page_style():
        drawing = draw_schedule(planned, real, rows)
        caption = "Above as planned, below as it was; time from the first start."
        if len(slots) > len(rows):
            caption += f" The first {len(rows)} of {len(slots)} slots."
        return Figure(inline_svg(drawing, "gantt-", f"Gantt chart of jobs on slots. {caption}"), caption, wide=True)


def draw_schedule(planned: Sequence[Bar], real: Sequence[Bar], slots: Sequence[str]) -> Any:
    """Two panels with one time axis."""
    from matplotlib.lines import Line2D

    left, row = text_width(slots, 8.5) + 0.2, max(0.16, min(0.34, 4 / max(1, len(slots))))
    panel = row * len(slots) + 0.1
    width, height = 9.6, 2 * panel + 1.5
    figure = new_figure(width, height)
    latest = max((bar.end for bar in (*planned, *real)), default=1.0) or 1.0
    _, scale, unit = next(one for one in UNITS if latest >= one[0])
    for index, (name, bars) in enumerate((("planned", planned), ("as it was", real))):
        bottom = 0.72 + (1 - index) * (panel + 0.36)
        axes = figure.add_axes((left / width, bottom / height, 1 - (left + 0.15) / width, panel / height))
        axes.set_title(name, loc="left", fontsize=9, pad=3)
        _bars(axes, bars, slots, scale)
        axes.set(xlim=(0, latest / scale), ylim=(len(slots) - 0.5, -0.5))
        axes.set_yticks(range(len(slots)), slots)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        if index == 0:
            axes.tick_params(axis="x", labelbottom=False, length=0)
        else:
            axes.set_xlabel(unit)
    kinds = [kind for kind in KINDS if any(bar.kind == kind for bar in (*planned, *real))]
    marks = [Line2D([], [], marker="s", linestyle="", color=_colour(kind), label=kind) for kind in kinds]
    if any(bar.failed for bar in real):
        marks.append(Line2D([], [], marker="s", linestyle="", color=FAILED, label="failed"))
    figure.legend(
        handles=marks, loc="lower left", bbox_to_anchor=(left / width, 0.0), ncols=len(marks), handletextpad=0.1,
        borderaxespad=0.1,
    )  # fmt: skip
    return figure


def _bars(axes: Any, bars: Sequence[Bar], slots: Sequence[str], scale: float) -> None:
    row_of = {slot: row for row, slot in enumerate(slots)}
    for failed, kind in sorted({(bar.failed, bar.kind) for bar in bars}):
        own = [bar for bar in bars if (bar.failed, bar.kind) == (failed, kind) and bar.slot in row_of]
        for slot in sorted({bar.slot for bar in own}):
            spans = [(bar.start / scale, (bar.end - bar.start) / scale) for bar in own if bar.slot == slot]
            axes.broken_barh(
                spans, (row_of[slot] - 0.38, 0.76), facecolors=FAILED if failed else _colour(kind), edgecolors="white",
                linewidth=0.4, rasterized=len(bars) > LARGEST,
            )  # fmt: skip


def _colour(kind: str) -> str:
    return COLOURS[KINDS.index(kind) % len(COLOURS)] if kind in KINDS else INK
