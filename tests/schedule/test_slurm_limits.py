"""How the slurm executor meets the limits of a site, without a SLURM: a stand-in takes what it submits."""

import pytest
from support.plans import shell_job

from mvlpt.errors import ScheduleError
from mvlpt.schedule.attempts import Attempt, AttemptResult, write_result
from mvlpt.schedule.executors.slurm.options import SlurmOptions

pytest.importorskip("submitit", reason="submitit is not installed (pip install 'mvlpt[slurm]')")

from mvlpt.schedule.executors.slurm import executor as slurm_executor
from mvlpt.schedule.executors.slurm import queue as slurm_queue
from mvlpt.schedule.executors.slurm.batches import Batch, parameters
from mvlpt.schedule.executors.slurm.queue import QueuedJob

REFUSAL = "sbatch: error: {}: Job violates accounting/QOS policy (job submit limit, ...)"


class Site:
    """A cluster on which a user may have only some jobs at once.

    Args:
        limit: their number.
        others: jobs of the same user that this scheduler did not submit.
        largest: jobs of an array at most.
        reason: SLURM's name of the limit.
    """

    def __init__(self, limit, others=0, largest=1001, reason="QOSMaxSubmitJobPerUserLimit"):
        self.largest, self.reason = largest, reason
        self.limit, self.others, self.batches, self.running, self.refusals = limit, others, [], {}, 0

    def submit(self, batch, options, run_command=None):
        if batch.jobs > self.largest:
            raise ScheduleError("sbatch: error: Batch job submission failed: Invalid job array specification")
        if len(self.running) + self.others + len(batch.attempts) > self.limit:
            self.refusals += 1
            raise ScheduleError(REFUSAL.format(self.reason))
        self.batches.append(len(batch.attempts))
        ids = [f"{len(self.batches)}_{index}" for index in range(len(batch.attempts))]
        self.running.update(zip(ids, batch.attempts, strict=True))
        return ids

    def queue(self):
        others = {f"x{n}": QueuedJob(f"x{n}", "theirs", "RUNNING", "") for n in range(self.others)}
        return {ident: QueuedJob(ident, "ours", "RUNNING", "") for ident in self.running} | others

    def end_one(self):
        attempt = self.running.pop(next(iter(self.running)))
        write_result(attempt, AttemptResult(*attempt.key, 0, 1.0))


@pytest.fixture
def at(monkeypatch, tmp_path):
    """Makes an executor at a site, and attempts that it has been given."""

    def make(site, jobs, largest=1001):
        monkeypatch.setattr(slurm_executor, "require_slurm", lambda: None)
        monkeypatch.setattr(slurm_executor, "submit", site.submit)
        monkeypatch.setattr(slurm_executor, "read_queue", site.queue)
        monkeypatch.setattr(slurm_executor, "largest_array", lambda: largest)
        executor = slurm_executor.SlurmExecutor(SlurmOptions(poll_seconds=0))
        for number in range(jobs):
            job = shell_job(f"j{number}", "true")
            executor.start(Attempt(job, 1, tmp_path / job.id, tmp_path, job.command), executor.slots()[0])
        return executor

    return make


def test_an_array_is_no_larger_than_the_cluster_allows(at):
    site = Site(limit=100)
    at(site, jobs=10, largest=4).poll()
    assert site.batches == [4, 4, 2]


def test_an_array_that_is_refused_is_halved(at):
    """A site may not say how large an array may be."""
    site = Site(limit=100, largest=4)
    at(site, jobs=10).poll()
    assert site.batches == [2, 3, 2, 3]


def test_jobs_beyond_the_limit_of_a_user_wait_until_others_have_ended(at):
    site, ended = Site(limit=3), []
    executor = at(site, jobs=8)
    for _ in range(8):
        ended += executor.poll()
        ended += executor.poll()  # what has ended makes room for the next submission
        assert 0 < len(site.running) <= 3
        site.end_one()
    ended += executor.poll()
    assert [result.status for result in ended] == [0] * 8, "no refusal counts as a failure"


def test_a_full_queue_is_not_asked_again_at_every_poll(at):
    site = Site(limit=1, others=1)
    executor = at(site, jobs=1)
    assert [executor.poll() for _ in range(5)] == [[]] * 5
    assert site.refusals == 1


def test_a_limit_that_no_wait_would_lift_is_an_error(at):
    with pytest.raises(ScheduleError, match="QOSMaxSubmitJobPerUserLimit"):
        at(Site(limit=0), jobs=2).poll()


def test_the_limit_of_an_account_that_others_use_is_waited_for(at):
    site = Site(limit=0, reason="AssocGrpSubmitJobsLimit")
    assert at(site, jobs=1).poll() == []
    assert site.refusals == 1


def test_the_largest_array_is_read_from_the_configuration(monkeypatch):
    monkeypatch.setattr(slurm_queue, "_run", lambda command: "MaxArraySize            = 12\nMaxJobCount = 10000\n")
    assert slurm_queue.largest_array() == 12
    monkeypatch.setattr(slurm_queue, "_run", lambda command: None)
    assert slurm_queue.largest_array() == 1001


def test_percent_signs_in_folder_names(tmp_path):
    job = shell_job("a", "true")
    attempt = Attempt(job, 1, tmp_path, tmp_path, job.command)
    found = parameters(Batch(5, False, [attempt]), SlurmOptions(), "/data/100%u/slurm/b")
    assert found["additional_parameters"]["output"] == "/data/100%%u/slurm/b/%j_0_log.out"
    assert found["additional_parameters"]["error"] == "/data/100%%u/slurm/b/%j_0_log.err"
    assert found["srun_args"][-2:] == ["--output=all", "--error=all"]
