"""Plans of jobs and their execution: journal, scheduler, executors. Knows nothing of what the jobs do."""

from mvlpt.schedule.jobs import Job, Plan, job_id
from mvlpt.schedule.plan_file import load_plan, save_plan
from mvlpt.schedule.slots import Slot

__all__ = ["Job", "Plan", "Slot", "job_id", "load_plan", "save_plan"]
