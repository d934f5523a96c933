"""The registry of executors: what there is to know about one without opening it, and how to build it.

An executor is one module or folder that calls :func:`register_executor`. An installed package names its
:class:`ExecutorSpec` under the entry-point group ``mvlpt.executors``; a ``--plugin`` file registers it when it runs::

    register_executor(ExecutorSpec("echo", help="prints the commands", build=lambda options, run_command: Echo()))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from mvlpt.errors import ScheduleError, UnknownNameError
from mvlpt.registry import Registry
from mvlpt.schedule.attempts import RunCommand
from mvlpt.schedule.executors.options import NoOptions, read_options
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.slots import Slot

ENTRY_POINTS = "mvlpt.executors"
EXECUTORS = Registry("executor")  # of ExecutorSpec


@dataclass(frozen=True)
class ExecutorSpec:
    """An executor as its callers see it.

    Attributes:
        name: what ``--executor`` takes.
        help: one line.
        build: makes the executor from its options and a function that runs commands of ``mvlpt`` in this process, or
            None. Imports optional libraries only when called.
        options: a frozen dataclass whose fields all have defaults; filled from ``--executor-option KEY=VALUE``.
        planned_slots: the slots of a dry run, from the options; None opens the executor and asks it.
        jobs_option: the option that says how many jobs run at once, which ``--slots`` sets; ``""`` where the number
            cannot be chosen.
        opens_freely: to open and close the executor has no side effect, so a check may do it.
        local: jobs run on this machine, so that speeds measured here apply to them.
        uses_gpus: whether jobs run on GPUs, from the options; only asked where ``local`` is false.
        prints_here: jobs print to the terminal of the scheduler, which then draws no live table.
    """

    name: str
    help: str
    build: Callable[[Any, RunCommand | None], Executor]
    options: type = NoOptions
    planned_slots: Callable[[Any], Sequence[Slot]] | None = None
    jobs_option: str = ""
    opens_freely: bool = True
    local: bool = True
    uses_gpus: Callable[[Any], bool] = lambda options: False
    prints_here: bool = False

    def read(self, options: Mapping[str, Any]) -> Any:
        """Options of the executor, as an instance of :attr:`options`.

        Raises:
            ScheduleError: an unknown option, or a value that is not of its type or out of bounds.
        """
        return read_options(self.options, options, self.name)


def register_executor(spec: ExecutorSpec, *, force: bool = False) -> ExecutorSpec:
    """Adds an executor.

    Args:
        spec: of the executor.
        force: replace another one of the same name.

    Raises:
        KeyError: the name is taken and ``force`` is false.
    """
    EXECUTORS.register(spec, name=spec.name, force=force)
    return spec


def executor_spec(name: str) -> ExecutorSpec:
    """The executor of this name.

    Raises:
        ScheduleError: an unknown name; the message suggests the nearest.
    """
    try:
        return EXECUTORS.get(name)
    except UnknownNameError as error:
        raise ScheduleError(str(error)) from None


def make_executor(name: str, *, run_command: RunCommand | None = None, **options: Any) -> Executor:
    """An executor by its name.

    Args:
        name: one of :data:`EXECUTORS`.
        run_command: runs commands of ``mvlpt`` in the process that calls it, for executors whose processes run several
            jobs. Without it ``inline`` takes those of this package, and other executors start programs.
        options: the executor's own; strings are read as the option's type.

    Raises:
        ScheduleError: an unknown name or option, or the executor cannot be used on this machine.
        MissingExtraError: the library that the executor needs is not installed.
    """
    spec = executor_spec(name)
    return spec.build(spec.read(options), run_command)


def planned_slots(name: str, **options: Any) -> list[Slot]:
    """The slots on which an executor would run jobs, for a dry run; starts and asks no cluster.

    Raises:
        ScheduleError: an unknown name or option, or the executor cannot be used on this machine.
    """
    spec = executor_spec(name)
    given = spec.read(options)
    if spec.planned_slots is not None:
        return list(spec.planned_slots(given))
    executor = spec.build(given, None)
    try:
        return list(executor.slots())
    finally:
        executor.close()


def check_executor(name: str, *, run_command: RunCommand | None = None, **options: Any) -> None:
    """Finds out what is wrong with an executor before anything is computed for it.

    Raises:
        ScheduleError: an unknown name or option, or the executor cannot be used on this machine.
        MissingExtraError: the library that the executor needs is not installed.
    """
    planned_slots(name, **options)
    if executor_spec(name).opens_freely:
        make_executor(name, run_command=run_command, **options).close()


def _installed() -> dict[str, Any]:
    """Entry points of installed packages by name; the executors of this package keep their names."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _load(name: str) -> ExecutorSpec:
    point = _installed()[name]
    try:
        spec = point.load()
    except Exception as error:  # third-party code, whatever it raises
        raise ScheduleError(f"The executor '{name}' ({point.value}) cannot be imported: {error}") from error
    if not isinstance(spec, ExecutorSpec) or spec.name != name:
        raise ScheduleError(f"The entry point '{name}' ({point.value}) is no ExecutorSpec of that name")
    return spec


EXECUTORS.register_family(_installed, _load)
