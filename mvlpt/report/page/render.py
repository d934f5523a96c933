"""The page itself: every section in its template, one style sheet and one script, all in one file."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import mvlpt
from mvlpt.io import clean_text, write_file
from mvlpt.report.durations import duration
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.sections import SECTIONS

REPORT_FILE = "report.html"
HERE = Path(__file__).parent
LONGEST = 20_000  # characters of one string on the page


@dataclasses.dataclass(frozen=True)
class WrittenReport:
    """A report.

    Attributes:
        path: its file.
        size: bytes.
        seconds: that it took.
        problems: what could not be read, a sentence each.
    """

    path: Path
    size: int
    seconds: float
    problems: tuple[str, ...]


def write_report(
    folder: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, *, images: bool = True
) -> WrittenReport:
    """Writes the report on an experiment, on runs, or on one run, as one HTML file that needs nothing else.

    Args:
        folder: of an experiment or a run, finished or not, or above runs.
        out: the file; by default ``report.html`` in the folder.
        images: show the images that the runs' evaluations name, as thumbnails.

    Raises:
        RunFolderError: the folder holds nothing to report on, or the file cannot be written.
    """
    started = time.monotonic()
    content = Content(folder, images)
    page = render(content).encode("utf-8", "replace")
    path = Path(out) if out else content.root / REPORT_FILE
    write_file(path, page)
    return WrittenReport(path, len(page), time.monotonic() - started, tuple(content.problems))


def render(content: Content) -> str:
    """The page as text."""
    sections = [section for build in SECTIONS if (section := content.attempt(functools.partial(build, content)))]
    environment = _environment()
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    bodies = [(section, _body(environment, section)) for section in sections]
    return environment.get_template("page.html.jinja").render(
        title=content.title,
        kind="run" if content.is_run else "experiment" if content.plan is not None else "runs",
        sections=bodies,
        problems=content.problems,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        version=mvlpt.__version__,
        made=datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="minutes"),
    )


def _body(environment: jinja2.Environment, section: Section) -> Markup:
    return Markup(environment.get_template(f"sections/{section.template}").render(section=section, **section.values))


def _environment() -> jinja2.Environment:
    """Templates escape everything; strings from outside also lose control characters and marks of direction."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["duration"] = duration
    return environment


def _shown(value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return clean_text(value, LONGEST, keep="\n\t")


def _policy(style: str, script: str) -> str:
    """A content policy that allows this style sheet, this script and images that are part of the page; nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
