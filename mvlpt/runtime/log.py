"""Logging for people: short lines on the console, every message with its time in the run's ``log.txt``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvlpt.errors import RunFolderError
from mvlpt.io import check_not_linked, clean_text
from mvlpt.runtime.console import stderr_console

ROOT = "mvlpt"
LONGEST = 20_000  # characters of one message, traces included


class CleanFormatter(logging.Formatter):
    """Formats messages with control characters escaped, so that a name from outside cannot forge lines or colours."""

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines of a record."""
        return clean_text(super().format(record), LONGEST, keep="\n\t")


class ConsoleHandler(logging.Handler):
    """Prints messages above a live bar; the terminal breaks long lines, so that paths can be copied whole."""

    def __init__(self) -> None:
        super().__init__()
        self._warned: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if record.name == "py.warnings":  # "FILE:LINE: Kind: sentence", and the line of code
                text = "warning: " + text.partition("\n")[0].split(": ", 2)[-1]
                if text in self._warned:
                    return
                self._warned.add(text)
            stderr_console().print(text, markup=False, soft_wrap=True)
        except Exception:
            self.handleError(record)


def setup_logging(verbose: bool = True) -> None:
    """Sends the package's messages to the standard error; warnings only when not ``verbose``."""
    logger = logging.getLogger(ROOT)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for known in (logger, logging.getLogger("py.warnings")):
        for handler in [handler for handler in known.handlers if isinstance(handler, ConsoleHandler)]:
            known.removeHandler(handler)
    handler = ConsoleHandler()
    handler.setFormatter(CleanFormatter("%(message)s"))
    handler.setLevel(logging.INFO if verbose else logging.WARNING)
    logger.addHandler(handler)
    logging.captureWarnings(True)
    python = logging.getLogger("py.warnings")
    python.propagate = False  # or libraries that configure the root logger would print each again
    python.addHandler(handler)


class _FileFormatter(CleanFormatter):
    """Writes a message logged with ``extra={"plain": True}`` as it is, for scripts that look for its lines."""

    def format(self, record: logging.LogRecord) -> str:
        if getattr(record, "plain", False):
            return clean_text(record.getMessage(), LONGEST, keep="\n\t")
        return super().format(record)


class _LogFile(logging.FileHandler):
    """Reports once that its file cannot be written; a run does not fail because of it."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._report(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            path = clean_text(self.baseFilename)
            print(f"warning: cannot write {path}: {error.strerror or error}; the run goes on", file=sys.stderr)


@contextmanager
def log_to_file(path: str | Path) -> Iterator[None]:
    """Also appends the messages to ``path``.

    Raises:
        RunFolderError: the file cannot be written.
    """
    try:
        check_not_linked(path)
        handler = _LogFile(path, mode="a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RunFolderError(f"Cannot write {path}: {error.strerror}; choose another folder") from error
    handler.setFormatter(_FileFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.DEBUG)
    logger = logging.getLogger(ROOT)
    previous, propagates = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # or the root logger, which other libraries configure, would print every step
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous)
        logger.propagate = propagates
        handler.close()
