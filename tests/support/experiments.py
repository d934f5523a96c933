"""Experiments on the embedded tasks, and what their plans hold."""

from collections import Counter

from mvlpt.cli import main
from mvlpt.cli.train import build_parser as train_parser
from mvlpt.cli.train import setup_cfg
from mvlpt.experiment import Experiment, run_experiment
from mvlpt.graph import Grouping

COOP, VPT = (f"configs/trainers/MVLPT-{name}/embedded.yaml" for name in ("CoOp", "VPT"))
ZERO_SHOT = "configs/trainers/ZeroshotCLIP/embedded.yaml"
TASKS = ("weather-plain", "tools-plain", "weather-dark", "tools-dark")
GROUPS = Grouping((TASKS[:2], TASKS[2:]))


def embedded_experiment(**changes):
    """Two trainers, two seeds."""
    fields = {"tasks": TASKS, "trainers": (VPT, COOP), "zero_shot": ZERO_SHOT, "seeds": (1, 2), **changes}
    return Experiment(**fields)


def names(plan, kind=None):
    """Names of a plan's jobs, of one kind."""
    return {job.name for job in plan if kind in (None, job.kind)}


def count(plan):
    """Number of jobs by kind and arm."""
    return Counter((job.kind, job.labels.get("arm", "")) for job in plan)


def option(job, key):
    """What a command says after ``key``."""
    return job.command[job.command.index(key) + 1]


def cfg_of(job):
    return setup_cfg(train_parser().parse_args(list(job.command[2:])))


def toy_experiment(**changes):
    """Toy tasks, a single trainer and epoch, in this process."""
    fields = {
        "tasks": ("toy-warm", "toy-cold"),
        "trainers": (COOP,),
        "arms": ("single",),
        "seeds": (1,),
        "options": {"OPTIM.MAX_EPOCH": 1},
        "executor": {"name": "inline", "retries": 0},
        **changes,
    }
    return Experiment(**fields)


def run_here(experiment, root):
    """The result and the events of an experiment that runs in this process."""
    events = []
    result = run_experiment(experiment, root, on_event=events.append, run_command=main, measure=False)
    return result, events
