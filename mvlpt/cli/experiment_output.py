"""What ``mvlpt experiment`` shows: events while it runs, the plan of a dry run, the tables at the end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mvlpt.cli.common import output_width, show
from mvlpt.cli.schedule_run import show_outcome
from mvlpt.engine import RESULTS_FILE
from mvlpt.errors import MvlptError
from mvlpt.experiment import (
    Event,
    GroupsFound,
    JobsChanged,
    JobsEnded,
    Note,
    NothingToRun,
    OptionsChosen,
    PlanReady,
)
from mvlpt.report import duration, search_sheet
from mvlpt.report.graphs import save_grouping_figures
from mvlpt.report.jobs import Watch, plan_sheet, plan_times, save_plan_figure
from mvlpt.report.results import MARKDOWN, experiment_tables, rich_tables
from mvlpt.runtime import stderr_console
from mvlpt.schedule import PLAN_FILE, read_records, save_plan

if TYPE_CHECKING:  # they load torch, which the help does without
    from mvlpt.experiment import ExperimentResult, PlanPreview

PICTURE = "plan.png"


class ExperimentDisplay:
    """Context whose calls with events print, draw figures, and keep a live table of the jobs.

    Args:
        live: whether a table may be drawn; not where jobs print to the same terminal.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._stack = ExitStack()
        self._watch: Watch | None = None

    def __enter__(self) -> ExperimentDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case Note() | NothingToRun():
                show(str(event))
            case OptionsChosen():
                show(search_sheet(event.search), f"the options of the best are used; all candidates: {event.path}")
            case GroupsFound():
                save_grouping_figures(event.result, event.folder)
            case PlanReady():
                picture = event.root / PICTURE
                if event.changed or not picture.exists():
                    save_plan_figure(event.plan, picture)
            case JobsChanged():
                if self._watch is None:
                    self._watch = self._stack.enter_context(Watch(stderr_console(), live=self._live))
                self._watch(event.snapshot)
            case JobsEnded():
                self._stack.close()
                show_outcome(event.plan, event.root, event.outcome)


def show_preview(preview: PlanPreview, root: Path, plan_file: str | None = None, picture: str | None = None) -> None:
    """Prints the plan of a dry run, and writes the files that were asked for.

    Args:
        preview: plan and slots.
        root: the experiment's folder.
        plan_file: where the plan goes.
        picture: where its figure goes.
    """
    plan, records = preview.plan, read_records(root, preview.plan)
    if plan_file:
        save_plan(plan, plan_file)
    if picture:
        save_plan_figure(plan, picture)
    show(plan_sheet(plan, records))
    show(f"{plan_times(plan, preview.slots, records)}.")
    speeds = "; ".join(f"{name}: {source}" for name, source in plan.metadata["speeds"].items())
    show(f"Speeds behind the estimates: {speeds}.")
    if preview.choosing:
        show(
            f"Before that, the chooser trains on folds of the images: at most {duration(preview.choosing)} of one slot,"
            " not counted above."
        )
    if not preview.groups_known:
        show(
            "The groups are not known before the tasks are embedded; equal parts of the tasks stand in for them"
            " (--only-groups makes them)."
        )
    if not preview.options_known:
        show(
            "The options are not known before the search has run; the first values stand in for them, and the jobs of"
            " the search come on top."
        )
    if preview.missing:
        show(f"{len(preview.missing)} missing on this machine; get them before the experiment runs:")
        show(*(f"  {line}" for line in preview.missing))
    written = [path for path in (plan_file, picture) if path]
    target = root / PLAN_FILE
    show(f"written: {', '.join(written)}" if written else f"Nothing was written; the plan would go to {target}")


def show_tables(result: ExperimentResult) -> None:
    """Prints all tables of an experiment, and writes them beside its scores."""
    root = result.root
    tables = experiment_tables(result.rows, result.experiment.all_tasks, root)
    show(*rich_tables(tables, width=output_width()))
    show(f"scores: {root / RESULTS_FILE}; tables: {root / MARKDOWN}; each run: its folder below {root}")


def show_report(root: Path) -> None:
    """Writes the page on an experiment and says where it is; an experiment does not fail because of it."""
    from mvlpt.report.page import write_report  # loads torch, which the help does without

    try:
        show(f"report: {write_report(root).path}")
    except MvlptError as error:
        show(f"no report could be written: {error}")
