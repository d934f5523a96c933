"""A SLURM of one node, started by the tests with its own daemons, keys and folders; it needs root, but no systemd."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from support.plans import PATIENCE

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")

_CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=2
MinJobAge=600
MaxArraySize=4
ReturnToService=2
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
DefMemPerCPU=256
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4096 State=UNKNOWN
PartitionName=work Nodes=node Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=urgent Nodes=node MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF State=UP
"""


def missing() -> str:
    """Why no SLURM can be started here, or an empty string."""
    absent = [name for name in COMMANDS if _which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed (apt-get install slurmctld slurmd slurm-client munge)"
    return "" if os.geteuid() == 0 else "the daemons need root"


class Slurm:
    """munged, slurmctld and slurmd as children of this process.

    Args:
        folder: for configuration, state and logs.

    Attributes:
        environment: variables with which SLURM's commands find this cluster.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Starts the daemons and waits until the node takes jobs.

        Raises:
            RuntimeError: it does not; the message ends with the logs.
        """
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o755)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        text = _CONFIG.format(folder=self.folder, host=host, controller=_free_port(), node=_free_port())
        (self.folder / "slurm.conf").write_text(text)
        munge = {"socket": "socket", "key-file": "key", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}
        paths = (f"--{option}={self.folder}/munge/{name}" for option, name in munge.items())
        self._daemon("munged", "--foreground", "--force", *paths)
        self._wait(lambda: (self.folder / "munge" / "socket").exists())
        self._daemon("slurmctld", "-D")
        self._daemon("slurmd", "-D", "-N", "node")
        self._wait(lambda: self.command("sinfo", "--noheader", "--format=%T").startswith("idle"))

    def command(self, *words: str) -> str:
        """What one of SLURM's commands prints; its complaints where it fails."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.stdout.strip() or done.stderr.strip()

    def queue(self) -> list[str]:
        """Ids of the jobs that wait or run."""
        return self.command("squeue", "--noheader", "--array", "--format=%i").split()

    def close(self) -> None:
        """Cancels all jobs and ends the daemons."""
        if len(self._daemons) == 3 and (jobs := self.queue()):
            self.command("scancel", *jobs)
            with suppress(RuntimeError):
                self._wait(lambda: not self.queue())
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()

    def _daemon(self, name: str, *arguments: str) -> None:
        environment = {**os.environ, **self.environment}
        with open(self.folder / f"{name}.out", "wb") as log:
            self._daemons.append(
                subprocess.Popen(
                    [_which(name), *arguments],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=_end_with_parent,
                )
            )

    def _wait(self, ready, seconds: float = PATIENCE) -> None:
        limit = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > limit or any(daemon.poll() is not None for daemon in self._daemons):
                logs = "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))
                outs = "\n".join(path.read_text()[-1000:] for path in sorted(self.folder.glob("*.out")))
                raise RuntimeError(f"SLURM does not start in {self.folder}\n{outs}\n{logs}")
            time.sleep(0.1)


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end_with_parent() -> None:
    """The daemon gets SIGTERM when the tests' process dies, however it dies (Linux: PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
