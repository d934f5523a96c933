"""A run's folder: which run owns it, the state of that run, and when it may be written.

A folder belongs to one configuration. Another configuration is refused with the options that differ; the same one is
never resumed or repeated silently: an unfinished run needs ``--resume``, a finished one is only reported.
"""

from __future__ import annotations

import datetime
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

import mvlpt
from mvlpt.config import OPTIONS, Config, flatten, read_yaml
from mvlpt.engine.checkpoints import holds_dassl_checkpoints
from mvlpt.engine.identity import changed_options, config_differences, config_identity
from mvlpt.engine.resume import RESUME_FILE
from mvlpt.errors import RunFolderError
from mvlpt.io import (
    LockHeldError,
    LocksUnsupportedError,
    check_encoding,
    check_head,
    file_lock,
    listed,
    read_json,
    sweep_leftovers,
    write_file,
    write_json,
)
from mvlpt.runtime import log_to_file

log = logging.getLogger(__name__)

FORMAT = 1
STATE_FILE, CONFIG_FILE = "run.json", "config.yaml"
# Files that show that a folder holds a run, ours or Dassl's.
TRACES = (STATE_FILE, CONFIG_FILE, "results.jsonl", "log.txt", RESUME_FILE, "prompt.safetensors")


class RunFolder:
    """The output folder of one run.

    Args:
        path: the folder; it is created when the run begins, not before.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._metadata: dict[str, Any] = {}

    def add_metadata(self, **metadata: Any) -> None:
        """Adds entries to ``run.json``, which is written at the next change of state."""
        self._metadata.update(metadata)

    def finished_already(self, cfg: CfgNode) -> bool:
        """Whether the folder holds this same run, finished. Reads only.

        Raises:
            RunFolderError: the folder holds another run, or this one unfinished and ``RESUME`` is not set, or it
                cannot be written.
        """
        check_encoding(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"OUTPUT_DIR {self.path} is a file; name a folder")
        self._check_writable()
        present = [name for name in TRACES if (self.path / name).exists()]
        if not present:
            return False
        begun = present == [CONFIG_FILE]  # the run ended before it wrote anything else
        if not begun and (STATE_FILE not in present or CONFIG_FILE not in present):
            if cfg.RESUME and holds_dassl_checkpoints(self.path):
                return False
            raise RunFolderError(
                f"OUTPUT_DIR {self.path} holds {', '.join(present)} of a run this program did not write; "
                "choose another folder, or add --resume if it is a run of Dassl's"
            )
        recorded = Config(read_yaml(self.path / CONFIG_FILE))
        differences = config_differences(recorded, cfg)
        if differences:
            raise RunFolderError(
                f"OUTPUT_DIR {self.path} holds another run, which differs in {listed(differences, 5, '; ')}. "
                "Choose another folder, or delete that one"
            )
        if begun:
            return False
        remedy = "restore the file, or choose another folder"
        state = read_json(self.path / STATE_FILE, remedy=remedy)
        check_head(
            state, self.path / STATE_FILE, "the record of a run", format=FORMAT, error=RunFolderError, remedy=remedy
        )
        if state.get("state") == "finished":
            self._check_outputs(recorded, cfg)
            return True
        if not cfg.RESUME:
            raise RunFolderError(
                f"OUTPUT_DIR {self.path} holds this run, {state.get('state', 'unfinished')} since "
                f"{state.get('updated', 'an unknown time')}; add --resume to continue, or choose another folder"
            )
        return False

    def _check_outputs(self, recorded: CfgNode, cfg: CfgNode) -> None:
        """Refuses to call a run finished that was not asked for a file or table that is asked for now."""
        before = dict(flatten(recorded))
        for key, value in flatten(cfg):
            if key in OPTIONS and OPTIONS[key].pinned and value is True and not before.get(key):
                raise RunFolderError(
                    f"OUTPUT_DIR {self.path} holds this run, finished without {key}; evaluate its prompt with"
                    f" --eval-only --model-dir {self.path}, another --output-dir, and {key} True"
                )

    @contextmanager
    def open(self, cfg: CfgNode, metadata: dict[str, Any]) -> Iterator[RunFolder]:
        """Locks the folder while a run writes to it, and keeps ``run.json`` up to date however the run ends.

        The configuration is the first file and the state the second, so that a run that ends between any two files
        leaves a folder that it recognises as its own.

        Args:
            cfg: the resolved configuration, written as ``config.yaml``.
            metadata: further entries of ``run.json`` (data fingerprint, device, ...).

        Raises:
            RunFolderError: another process is writing here, or the folder cannot be written.
        """
        with self._lock():
            write_file(self.path / CONFIG_FILE, cfg.dump())
            started = datetime.datetime.now(datetime.timezone.utc)
            record = {
                "format": FORMAT,
                "state": "running",
                "run": config_identity(cfg),
                "options": changed_options(cfg),
                "command": sys.argv,
                "versions": _versions(),
                **metadata,
                "started": started.isoformat(timespec="seconds"),
            }
            self._write_state(record, started)
            try:
                with log_to_file(self.path / "log.txt"):
                    yield self
            except BaseException as error:
                kind = type(error).__name__
                record["state"] = "interrupted" if kind in ("Interrupted", "KeyboardInterrupt") else "failed"
                record["reason"] = f"{kind}: {error}".strip(": ")
                self._write_state(record, started)
                raise
            record["state"] = "finished"
            self._write_state(record, started)
            (self.path / RESUME_FILE).unlink(missing_ok=True)

    def _write_state(self, record: dict[str, Any], started: datetime.datetime) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        record["updated"] = now.isoformat(timespec="seconds")
        record.update(self._metadata)
        record["seconds"] = round((now - started).total_seconds(), 2)
        write_json(record, self.path / STATE_FILE)

    def _check_writable(self) -> None:
        nearest = self.path
        while not nearest.exists():
            nearest = nearest.parent
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise RunFolderError(
                f"OUTPUT_DIR {self.path} cannot be written: {nearest} is read-only; choose another folder"
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(file_lock(self.path))
            except LockHeldError:
                raise RunFolderError(
                    f"Another process is writing to OUTPUT_DIR {self.path}; wait for it or stop it"
                ) from None
            except LocksUnsupportedError:
                log.debug("%s is on a file system without locks; nothing keeps a second process out", self.path)
            except OSError as error:
                raise RunFolderError(
                    f"Cannot make OUTPUT_DIR {self.path}: {error.strerror}; choose another folder"
                ) from error
            else:
                sweep_leftovers(self.path)
            yield


def _versions() -> dict[str, str]:
    def of(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "absent"

    return {
        "mvlpt": mvlpt.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "open_clip_torch": of("open_clip_torch"),
        "numpy": of("numpy"),
    }
