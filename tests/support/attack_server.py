"""Runs commands and readers on hostile files, each in a process of its own with limits.

``python -m support.attack_server`` imports the package once and then forks a child for every line of JSON on its
standard input: ``{"words", "cwd", "sandbox", "memory_mb", "seconds", "starts_programs"}``. ``words`` are those of a
command line, or ``@name`` of a reader in :mod:`support.attack_readers` and a path. The answer is a line of JSON:
``{"status", "seconds", "grown_mb", "timed_out", "actions"}``. ``actions`` are programs that the child started,
connections that it opened and files outside the sandbox that it wrote or removed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

_PROGRAMS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pty.spawn", "socket.connect"}
_CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.symlink", "os.link", "os.truncate"}
_HARMLESS = ("/dev/", "/proc/")


def _watch(sandbox: str, report: int, starts_programs: bool) -> None:
    """Reports what the process does to the world outside its sandbox."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _PROGRAMS:
            if not starts_programs:
                os.write(report, f"{event} {args!r:.200}\n".encode(errors="replace"))
            return
        if event == "open":
            mode, flags = args[1], args[2]
            writes = any(letter in (mode or "") for letter in "wax+") or (
                mode is None and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            paths = [args[0]] if writes else []
        elif event in _CHANGES:
            paths = [arg for arg in args[:2] if isinstance(arg, (str, bytes))]
        else:
            return
        for path in paths:
            if isinstance(path, (str, bytes)):
                full = os.path.abspath(os.fsdecode(path))
                if full != sandbox and not full.startswith((sandbox + "/", *_HARMLESS)):
                    os.write(report, f"{event} {full!r:.200}\n".encode(errors="replace"))

    sys.addaudithook(hook)


def _status_kb(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def _child(asked: dict[str, Any], report: int) -> int:
    for number, name in ((0, os.devnull), (1, asked["cwd"] + "/.stdout"), (2, asked["cwd"] + "/.stderr")):
        target = os.open(name, os.O_RDWR | (os.O_CREAT | os.O_TRUNC if number else 0), 0o600)
        os.dup2(target, number)
        os.close(target)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - open to the end
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    os.chdir(asked["cwd"])
    os.environ.update(HOME=asked["cwd"], TMPDIR=asked["cwd"], MPLCONFIGDIR=asked["cwd"], **asked.get("env", {}))
    tempfile.tempdir = None  # torch may have asked for the folder of temporary files when the server imported it
    room = _status_kb("VmSize") * 1024 + asked["memory_mb"] * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 2**20, 64 * 2**20))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _status_kb("VmHWM")
    _watch(asked["sandbox"], report, asked["starts_programs"])
    status = 70
    try:
        words = asked["words"]
        sys.argv = ["mvlpt", *words]
        if words[0].startswith("@"):
            from mvlpt.cli.common import exit_status
            from support import attack_readers

            status = exit_status(getattr(attack_readers, words[0][1:]))(*words[1:])
        else:
            from mvlpt.cli import main

            status = main(words)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(report, f"#{max(0, _status_kb('VmHWM') - before) // 1024}\n".encode())
    return int(status)


def _attend(asked: dict[str, Any]) -> dict[str, Any]:
    """Forks the child, waits within its time, and says what became of it."""
    reading, report = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if not pid:
        os.setsid()
        os.close(reading)
        os._exit(_child(asked, report))
    os.close(report)
    timed_out, done = False, 0
    while not done:
        done, code = os.waitpid(pid, os.WNOHANG)
        if not done:
            if time.monotonic() - started > asked["seconds"] and not timed_out:
                timed_out = True
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.003)
    seconds = time.monotonic() - started
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it left behind
    with open(reading, "rb") as handle:
        lines = handle.read().decode(errors="replace").splitlines()
    grown = [int(line[1:]) for line in lines if line.startswith("#")]
    return {
        "status": os.waitstatus_to_exitcode(code),
        "seconds": seconds,
        "grown_mb": grown[-1] if grown else -1,
        "timed_out": timed_out,
        "actions": [line for line in lines if not line.startswith("#")],
    }


def _import_all() -> None:
    """Imports what the commands need, so that a child spends its time on the file alone."""
    import mvlpt.trainers
    from mvlpt import cli

    for module in pkgutil.iter_modules(cli.__path__):
        if module.name != "__main__":
            importlib.import_module(f"mvlpt.cli.{module.name}")
    for name in (
        "open_clip",
        "PIL.Image",
        "safetensors.torch",
        "scipy.optimize",
        "matplotlib.font_manager",
        "sklearn.covariance",
        "yaml",
    ):
        importlib.import_module(name)
    for name in ("mvlpt.datasets", "mvlpt.engine", "mvlpt.experiment", "mvlpt.graph", "mvlpt.report"):
        module = importlib.import_module(name)
        for export in getattr(module, "__all__", ()):
            getattr(module, export)
    importlib.import_module("support.attack_readers")
    assert mvlpt.trainers


def main() -> None:
    """Answers each line of the standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _import_all()
    gc.collect()
    gc.freeze()  # or each child would look through all of these objects, and copy their pages
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_attend(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
