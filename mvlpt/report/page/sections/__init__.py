"""The sections of a report, in order. A section is a module with ``build(content)`` and its template beside it."""

from mvlpt.report.page.sections import (
    choices,
    curves,
    gains,
    groups,
    methods,
    missing,
    reproduce,
    schedule,
    scores,
    search,
    summary,
    tasks,
    transfer,
)

__all__ = ["SECTIONS"]

SECTIONS = tuple(
    module.build
    for module in (
        *(summary, missing, methods, scores, gains, search, groups, choices, transfer),
        *(curves, schedule, tasks, reproduce),
    )
)
"""Each takes a :class:`mvlpt.report.page.content.Content` and returns a section, or ``None`` where it has nothing."""
