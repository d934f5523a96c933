"""What the command-line programs share: names, exit statuses, error sentences, tables of results."""

from __future__ import annotations

import argparse
import csv
import functools
import io
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.table import Table

from mvlpt.cli.parser import CommandParser
from mvlpt.errors import (
    BAD_INPUT,
    DISK_FULL,
    INTERRUPTED,
    OUT_OF_MEMORY,
    ConfigError,
    MvlptError,
    is_disk_full,
    is_out_of_files,
    is_out_of_memory,
)
from mvlpt.io import clean_text, first_line, rich_text, sentence
from mvlpt.report import Sheet, rich_table
from mvlpt.runtime import CleanConsole, Interrupted

NEWLINE = "\n"
RESULT_COLUMNS = ("task", "split", "metric", "score %", "images")
MOST_LINES = 100  # of an error that lists things
MORE_FILES = "raise the limit of open files (ulimit -n 1024), or set DATALOADER.NUM_WORKERS 0"
TOOLS = {"group": "group_tasks.py", "experiment": "run_experiment.py", "average": "average_prompts.py"}


def program_name(command: str) -> str:
    """The name that usage lines give a command: ``mvlpt tasks``, or ``tasks.py`` where that file in ``tools/`` runs."""
    tool = TOOLS.get(command, f"{command}.py")
    return tool if Path(sys.argv[0]).name == tool else f"mvlpt {command}"


def command_parser(command: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A parser without options; its help keeps the lines of description and epilog as they are."""
    return CommandParser(
        prog=program_name(command),
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def names_of_classes(given: str | None) -> list[str] | None:
    """The names after ``--classes``, separated by commas or lines, some perhaps in quotes; ``None`` without the option.

    Raises:
        ConfigError: there is none.
    """
    if given is None:
        return None
    if not given.strip(", \r\n"):
        raise ConfigError("--classes names no class; give names separated by commas")
    return [name for line in csv.reader(given.splitlines(), skipinitialspace=True) for name in line]


def exit_status(program: Callable[..., int | None]) -> Callable[..., int]:
    """Turns errors that a user can fix into one sentence and an exit status.

    2 for bad input, 12 or 28 where memory or disk space is short, 130 for Ctrl-C.
    """

    @functools.wraps(program)
    def guarded(*args: Any, **kwargs: Any) -> int:
        try:
            with _quiet_threads(), _quiet_pillow(), _printable():
                status = program(*args, **kwargs) or 0
                _flush_output()
                return status
        except MvlptError as error:
            lines = str(error).split(NEWLINE)[:MOST_LINES]
            print(f"error: {NEWLINE.join(map(sentence, lines))}", file=sys.stderr)
            return DISK_FULL if is_disk_full(error) else error.exit_status
        except Interrupted as stopped:
            print(f"{clean_text(stopped)}; the state is saved, add --resume to continue", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            _drop_output()
            return 0
        except KeyboardInterrupt:
            print("interrupted; what was saved before stays usable", file=sys.stderr)
            return INTERRUPTED
        except Exception as error:
            if isinstance(error, PermissionError) and error.filename is not None:
                what = f"{clean_text(error.filename, 300)}: {error.strerror}"
                print(f"error: {what}; ask for the right to use it, or name another", file=sys.stderr)
                return BAD_INPUT
            if is_out_of_files(error):
                print(f"error: {clean_text(error, 300)}; {MORE_FILES}", file=sys.stderr)
                return BAD_INPUT
            if is_disk_full(error):
                print(
                    f"error: {clean_text(error, 300)}; free some space and run the same command again", file=sys.stderr
                )
                return DISK_FULL
            if not is_out_of_memory(error):
                raise
            print(
                f"error: out of memory ({first_line(error)}); set RUN.MICRO_BATCHES 2 or"
                " more, which splits each batch and changes no result, or a smaller DATALOADER.TEST.BATCH_SIZE",
                file=sys.stderr,
            )
            return OUT_OF_MEMORY

    return guarded


def _flush_output() -> None:
    """Writes out what was printed, here, where an error becomes a sentence."""
    try:
        print(end="", flush=True)
    except OSError:
        _drop_output()
        raise


def _drop_output() -> None:
    """Drops what could not be written to the standard output; Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _printable() -> Iterator[None]:
    """Context in which characters that the outputs' encoding lacks are escaped, and raise no error."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with suppress(ValueError):  # it was closed
                stream.reconfigure(errors=errors)


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """Context in which a thread that finds the disk full prints no trace: what waits for it raises the same error."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not is_disk_full(args.exc_value):
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Context without Pillow's warning of an image that is too large: it is refused in a sentence of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Image size .* could be decompression bomb")
        yield


def results_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """One line per task, and their mean where there are several; a narrow terminal gets fewer columns."""
    width = output_width()
    columns = [*RESULT_COLUMNS] if width >= 70 else ["task", "score %"]
    table = Table(title=title, title_justify="left")
    for column in columns:
        number = column in ("score %", "images")
        table.add_column(column, justify="right" if number else "left", no_wrap=column != "task", overflow="fold")
    for row in rows:
        words = {key: rich_text(row[key]) for key in ("task", "split", "metric")}
        cells = {**words, "score %": f"{row['value']:.2f}", "images": f"{row['n']:,}"}
        table.add_row(*(cells[column] for column in columns))
    if len(rows) > 1:
        table.add_section()
        mean = sum(row["value"] for row in rows) / len(rows)
        cells = {"task": "mean", "score %": f"{mean:.2f}", "images": f"{sum(row['n'] for row in rows):,}"}
        table.add_row(*(cells.get(column, "") for column in columns), style="bold")
    return table


def output_width() -> int:
    """Characters in a line of the standard output; 120 where it is not a terminal."""
    return CleanConsole().width if sys.stdout.isatty() else 120


class _Output(CleanConsole):
    """Leaves it to :func:`exit_status` what happens when nobody reads any more; rich would end with status 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def show(*renderables: Any) -> None:
    """Prints to the standard output: strings as they are, brackets and all, and sheets as tables that are no wider."""
    width = output_width()
    console = _Output(width=width)
    for item in renderables:
        for part in map(rich_table, item.parts(width)) if isinstance(item, Sheet) else (item,):
            if isinstance(part, str):  # a path is never broken into two lines
                print(clean_text(part, len(part) + 1, keep="\n\t"))
            else:
                console.print(part)
