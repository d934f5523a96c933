"""``tools/schedule.py`` and ``mvlpt schedule``: plan, run, watch, cancel and retry jobs."""

from __future__ import annotations

import argparse

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.cli.schedule_logs import print_log
from mvlpt.cli.schedule_run import SOME_FAILED, add_run_options, check_slots, read_run_options, run_plan
from mvlpt.cli.schedule_target import Target, find_target
from mvlpt.errors import ScheduleError
from mvlpt.io import json_text
from mvlpt.report.jobs import (
    counts_text,
    failure_lines,
    plan_sheet,
    plan_times,
    running_sheet,
    save_plan_figure,
    status_record,
    status_sheet,
)
from mvlpt.schedule import (
    PLAN_FILE,
    check_free,
    check_trust,
    cpu_slots,
    holder,
    is_running,
    local_slots,
    read_records,
    request,
    save_plan,
    trust,
)

EXAMPLES = """\
examples:
  mvlpt schedule plan configs/experiments/demo.yaml --slots 2 --picture plan.png   # show it; writes only the picture
  mvlpt schedule plan my.yaml --output-dir output/mine        # writes output/mine/plan.json
  mvlpt schedule run output/mine                              # a process for each GPU or CPU core of this machine
  mvlpt schedule run output/mine --slots 2 --retries 1 --time-limit 3600
  mvlpt schedule run output/mine --executor local --executor-option gpu_share=4
  mvlpt schedule run output/mine --executor slurm --executor-option partition=gpu --executor-option gpus=1
  mvlpt schedule run output/mine --executor inline            # in this process, one by one, for debugging
  mvlpt schedule status output/mine                           # from any terminal, while it runs or later
  mvlpt schedule logs output/mine MVLPT-VPT/all/1shot/seed1 --follow
  mvlpt schedule cancel output/mine 3f2a                      # a job by its name or the beginning of its id
  mvlpt schedule retry output/mine                            # all failed and cancelled jobs

A folder holds plan.json, the journal and everything that the jobs write; the journal is the only source of truth, so
that `run` continues whatever was killed. Ctrl-C once: running jobs save their state and stop; twice: they end at once.

exit status: 0 all jobs finished, 1 some failed or were cancelled or blocked, 130 stopped by the user, 2 bad input.
`status` exits with 0 unless some failed or were cancelled or blocked.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options of all subcommands."""
    parser = command_parser(
        "schedule", "Plan the jobs of an experiment, run them, watch, cancel and retry them.", EXAMPLES
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help: str, target: str = "folder with a plan.json") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + ".", epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.add_argument("root", metavar="ROOT", help=target)
        return sub

    either = "folder with a plan.json, or an experiment file"
    plan = add("plan", "show what will run, how long it takes, and where the time goes", either)
    plan.add_argument("--slots", type=int, metavar="N", help="jobs at once; default: what this machine offers")
    plan.add_argument("--picture", metavar="FILE", help="draw the jobs and what they need: .png, .svg or .pdf")
    plan.add_argument("--list", action="store_true", help="name every job with its command, too")
    run = add("run", "run all jobs that have not finished, and show them", either)
    for sub in (plan, run):
        sub.add_argument("--output-dir", metavar="DIR", help="with an experiment file: where plan.json and runs go")
        sub.add_argument("--groups", metavar="YAML", help="with an experiment file: the groups of the arm 'grouped'")
    add_run_options(run)
    run.add_argument("--trust", action="store_true", help="run the commands of a plan that was not made here")
    run.add_argument("--plugin", action="append", default=[], metavar="FILE.py", help="registers an executor")
    status = add("status", "show the state of the jobs")
    status.add_argument("--json", action="store_true", help="everything about every job, for programs")
    logs = add("logs", "print what a job printed")
    logs.add_argument("job", metavar="JOB", help="its name, its id, or the beginning of its id")
    logs.add_argument("--follow", "-f", action="store_true", help="go on until the job ends")
    logs.add_argument("--attempt", type=int, metavar="N", help="default: the last one")
    cancel = add("cancel", "end a job and do not start it again")
    cancel.add_argument("jobs", nargs="+", metavar="JOB", help="its name, its id, or the beginning of its id")
    retry = add("retry", "run failed and cancelled jobs again")
    retry.add_argument("jobs", nargs="*", metavar="JOB", help="default: all that failed or were cancelled")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    return COMMANDS[args.command](args)


def _plan(args: argparse.Namespace) -> int:
    check_slots(args.slots)
    target = find_target(args.root, args.output_dir, args.groups, only_shown=True)
    records = read_records(target.root, target.plan) if target.root is not None else {}
    slots = cpu_slots(args.slots) if args.slots else local_slots()
    if args.list:
        show(*(f"{job.id} {job.name}\n  {job.shell}" for job in target.plan))
    show(plan_sheet(target.plan, records), str(plan_times(target.plan, slots, records)))
    if target.stand_in:
        show(
            "The groups are not known yet; equal parts of the tasks stand in for them (`mvlpt experiment` makes them)."
        )
    _save(target)
    if args.picture:
        title = f"{target.name}: {len(target.plan)} jobs"
        show(f"picture: {save_plan_figure(target.plan, args.picture, title)}")
    return 0


def _save(target: Target) -> None:
    """Writes the plan of an experiment file, if the user named the folder."""
    if target.built and target.root is not None:
        check_free(target.root)
        save_plan(target.plan, target.root / PLAN_FILE)
        trust(target.plan)
        show(f"plan: {target.root / PLAN_FILE}")


def _run(args: argparse.Namespace) -> int:
    for file in args.plugin:
        from mvlpt.dassl import load_plugin  # the other commands of this program do not need the engine

        load_plugin(file)
    target = find_target(args.root, args.output_dir, args.groups)
    if target.root is None:
        raise ScheduleError(f"{args.root} is an experiment file; name the folder for its runs with --output-dir")
    options = read_run_options(args, target.executor)
    if args.trust:
        trust(target.plan)
    elif not target.built:
        check_trust(target.plan)
    _save(target)
    return run_plan(target.plan, target.root, options)


def _status(args: argparse.Namespace) -> int:
    target = find_target(args.root)
    plan, root = target.plan, target.folder
    records = read_records(root, plan)
    if args.json:
        print(json_text(status_record(plan, records, root, is_running(root)), indent=2))
    else:
        running = running_sheet(plan, records, root)
        show(status_sheet(plan, records), *([running] if running.rows else []))
        show(*failure_lines(plan, records, root))
        who = f"a scheduler works on it ({holder(root)})" if is_running(root) else "no scheduler is running"
        show(f"{counts_text(plan, records)}; {who}")
    bad = any(record.state in ("failed", "blocked", "cancelled") for record in records.values())
    return SOME_FAILED if bad else 0


def _logs(args: argparse.Namespace) -> int:
    target = find_target(args.root)
    return print_log(target.plan, target.folder, args.job, attempt=args.attempt, follow=args.follow)


def _cancel(args: argparse.Namespace) -> int:
    target = find_target(args.root)
    records = read_records(target.folder, target.plan)
    jobs = [target.plan.find(word) for word in args.jobs]
    for job in jobs:
        if records[job.id].state in ("finished", "failed", "cancelled"):
            raise ScheduleError(f"'{job.name}' cannot be cancelled: it is {records[job.id].state} already")
    return _ask(target, "cancel", [job.id for job in jobs])


def _retry(args: argparse.Namespace) -> int:
    target = find_target(args.root)
    records = read_records(target.folder, target.plan)
    over = [job for job in target.plan if records[job.id].state in ("failed", "cancelled")]
    jobs = [target.plan.find(word) for word in args.jobs] or over
    for job in jobs:
        if records[job.id].state in ("finished", "running"):
            raise ScheduleError(f"'{job.name}' is {records[job.id].state}; there is nothing to try again")
    if not jobs:
        show("no job has failed or was cancelled")
        return 0
    return _ask(target, "retry", [job.id for job in jobs])


def _ask(target: Target, what: str, jobs: list[str]) -> int:
    done = [request(target.folder, what, ident) for ident in jobs]
    names = ", ".join(target.plan[ident].name for ident in jobs[:5]) + (", ..." if len(jobs) > 5 else "")
    if all(done):
        word = {"cancel": "cancelled", "retry": "waiting again"}[what]
        show(f"{word}: {names}; `mvlpt schedule run {target.folder}` continues")
    else:
        show(f"asked the scheduler to {what}: {names}")
    return 0


COMMANDS = {"plan": _plan, "run": _run, "status": _status, "logs": _logs, "cancel": _cancel, "retry": _retry}
