"""What a command run inside this process changes for its duration: folder, environment, arguments, output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from mvlpt.io import append_descriptor
from mvlpt.schedule.attempts import Attempt


@contextmanager
def command_environment(attempt: Attempt) -> Iterator[None]:
    """Folder, environment and ``sys.argv`` of a command that runs in this process; all put back afterwards."""
    folder, arguments = os.getcwd(), sys.argv
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in attempt.environment}
    os.chdir(attempt.working_folder)
    os.environ.update(attempt.environment)
    sys.argv = list(attempt.command)
    try:
        yield
    finally:
        os.chdir(folder)
        sys.argv = arguments
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Sends what this process and its children print to a file, after what it holds."""
    target = append_descriptor(path)
    saved = [os.dup(number) for number in (1, 2)]
    _flush()
    try:
        for number in (1, 2):
            os.dup2(target, number)
        with ExitStack() as stack:  # where Python prints elsewhere, as in a notebook
            for number, stream, redirect in ((1, sys.stdout, redirect_stdout), (2, sys.stderr, redirect_stderr)):
                if not _prints_to(stream, number):
                    stack.enter_context(
                        redirect(stack.enter_context(open(number, "w", buffering=1, encoding="utf-8", closefd=False)))
                    )
            yield
    finally:
        _flush()
        for number, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(target)


def _prints_to(stream: Any, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError, AttributeError):
        return False


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
