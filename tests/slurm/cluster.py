"""A real Slurm of one node with a GPU that is none: started, killed, looked at and stopped by tests.

It needs root and Debian's packages slurm-wlm and munge, and no systemd. Slurm looks for its configuration in
/etc/slurm only (Snakemake's jobs lose every variable that says otherwise), so links lie there while the
cluster runs, and are taken away with it: Snakemake waits ten seconds for a Slurm that is configured and does
not answer.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

ETC = Path("/etc/slurm")
DAEMONS = ("slurmctld", "slurmd")
# for less, Slurm puts the loss of a node down to slow messages, and looks again minutes later
OFF = 17
WRITTEN = 10
NEEDED = (*DAEMONS, "munged", "sbatch", "srun", "squeue", "sinfo", "scontrol")
ENVIRONMENT = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
FIELD = re.compile(r"(\w+)=(\S*)")
RULE = re.compile(r"rule_(?P<rule>[\w.]+?)(?:_wildcards_(?P<wildcards>.*))?$")
CPUS = 4
CONFIG = """\
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
GresTypes=gpu
{accounting}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
MinJobAge=3600
BatchStartTimeout=1
SlurmctldTimeout=10
SlurmdTimeout=30
InactiveLimit=0
KillWait=2
Waittime=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=7-00:00:00 State=UP
PartitionName=gpu Nodes={host} MaxTime=2-00:00:00 State=UP
"""
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass={folder}/munge
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment"""


@dataclass(frozen=True)
class Job:
    """What Slurm says of a job: all of ``scontrol show job``, by its names."""

    said: dict[str, str] = field(repr=False)

    @property
    def number(self) -> int:
        return int(self.said["JobId"])

    @property
    def rule(self) -> str:
        """The rule, which Snakemake writes into the job's comment; of a group, its name."""
        found = RULE.match(self.said["Comment"])
        assert found, self.said
        return found["rule"]

    @property
    def wildcards(self) -> str:
        found = RULE.match(self.said["Comment"])
        return (found and found["wildcards"]) or ""

    @property
    def partition(self) -> str:
        return self.said["Partition"]

    @property
    def state(self) -> str:
        return self.said["JobState"]

    @property
    def restarts(self) -> int:
        return int(self.said["Restarts"])

    @property
    def gpus(self) -> int:
        """GPUs asked for, by --gpus or by --gres."""
        asked = self.said.get("TresPerJob") or self.said.get("TresPerNode") or ""
        found = re.search(r"gpu(?::\w+)??(?::(\d+))?$", asked)
        return int(found[1] or 1) if found else 0

    @property
    def memory_mb(self) -> int:
        """Memory asked for."""
        amount = self.said["MinMemoryNode"]
        return round(float(amount[:-1]) * {"M": 1, "G": 1024, "T": 1024**2}[amount[-1]])

    @property
    def minutes(self) -> int:
        """Time asked for."""
        days, _, clock = self.said["TimeLimit"].rpartition("-")
        hours, minutes, _ = map(int, clock.split(":"))
        return (int(days or 0) * 24 + hours) * 60 + minutes


@dataclass(frozen=True)
class Cluster:
    """One node, partitions ``cpu`` and ``gpu``, and everything that is written in ``folder``."""

    folder: Path
    accounted: bool = False

    def start(self) -> None:
        """Configure and start everything; return when jobs can be sent.

        Raises
        ------
        TimeoutError
            It does not come up; the end of its logs is in the message.
        """
        self._configure()
        start_munge(self.folder)
        self.revive("slurmctld", "-i")
        self.revive("slurmd")
        self._wait(lambda: "idle" in told("sinfo", "-h", "-o", "%T"), "no node comes up")

    def stop(self) -> None:
        """End all jobs and daemons, and leave /etc/slurm as it was."""
        told("scancel", "--user", "root")
        try:
            self._wait(lambda: not told("squeue", "-h"), "jobs do not end")
        finally:
            for daemon in ("slurmd", "slurmctld", "munged"):
                self.kill(daemon, signal.SIGTERM)
            for name in ("slurm", "gres", "cgroup"):
                (ETC / f"{name}.conf").unlink(missing_ok=True)

    def revive(self, daemon: str, *options: str) -> None:
        """Start a daemon; it takes up the jobs that another left."""
        subprocess.run([daemon, *options], env=ENVIRONMENT, check=True)
        self._wait(lambda: self._pid(daemon) is not None, f"{daemon} does not start")

    def kill(self, daemon: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a daemon; return when it is gone."""
        pid = self._pid(daemon)
        if pid is not None:
            os.kill(pid, how)
            self._wait(lambda: self._pid(daemon) is None, f"{daemon} does not end")

    def jobs(self) -> list[Job]:
        """Every job since the start, oldest first."""
        lines = told("scontrol", "--oneliner", "show", "job").splitlines()
        found = [Job(dict(FIELD.findall(line))) for line in lines if line.startswith("JobId=")]
        return sorted(found, key=lambda job: job.number)

    def since(self, before: list[Job]) -> list[Job]:
        """The jobs that were not there before."""
        return [job for job in self.jobs() if job.number not in {old.number for old in before}]

    def remembers(self, job: Job) -> None:
        """Return when the controller has written down that a job runs, so that its next start knows it too.

        It writes every five seconds where something has changed. Of a job that began since, the next one
        believes that it waits, and starts it a second time.
        """
        begun = datetime.fromisoformat(job.said["StartTime"]).timestamp()
        time.sleep(max(0, begun + WRITTEN - time.time()))

    def processes(self, job: Job) -> list[psutil.Process]:
        """What Slurm started on the node for a job, and all that came of it."""
        title = f"slurmstepd: [{job.number}."
        steps = [
            p for p in psutil.process_iter(["cmdline"]) if " ".join(p.info["cmdline"] or []).startswith(title)
        ]
        return [*steps, *(child for step in steps for child in step.children(recursive=True))]

    def lose_node(self, job: Job) -> None:
        """Let everything that runs on the node die, as when it is switched off, and switch it on again."""
        self.remembers(job)
        self.kill("slurmctld")
        self.kill("slurmd")
        for process in self.processes(job):
            process.kill()
        self.revive("slurmctld")
        time.sleep(OFF)
        self.revive("slurmd", "-b")

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
        values = {"host": host, "folder": self.folder, "cpus": CPUS}
        values["accounting"] = ACCOUNTING.format(folder=self.folder) if self.accounted else NO_ACCOUNTING
        texts = {
            "slurm": CONFIG.format(memory_mb=max(memory_mb, 16000), **values),
            "gres": f"NodeName={host} Name=gpu File=/dev/null\n",
            "cgroup": "CgroupAutomount=no\n",
        }
        for name, text in texts.items():
            path = self.folder / f"{name}.conf"
            path.write_text(text)
            (ETC / path.name).unlink(missing_ok=True)
            (ETC / path.name).symlink_to(path)

    def _pid(self, daemon: str) -> int | None:
        """The process number of a daemon that runs."""
        try:
            pid = int((self.folder / f"{daemon}.pid").read_text())
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ValueError):
            return None
        return pid if name == daemon else None

    def _wait(self, ready: Callable[[], bool], problem: str, seconds: float = 30) -> None:
        try:
            wait(ready, problem, seconds)
        except TimeoutError as error:
            logs = [f"{p.name}:\n{p.read_text()[-2000:]}" for p in sorted(self.folder.glob("*.log"))]
            raise TimeoutError("\n".join([str(error), *logs])) from None


def impossible() -> str | None:
    """Why no cluster can be started here, None where it can."""
    absent = [name for name in NEEDED if shutil.which(name, path=ENVIRONMENT["PATH"]) is None]
    if absent:
        return f"Slurm is not installed ({', '.join(absent)} not found)"
    if os.geteuid() != 0:
        return "only root can start a Slurm"
    config = ETC / "slurm.conf"
    if config.exists() and (not config.is_symlink() or "is UP" in told("scontrol", "ping")):
        return f"another Slurm is configured here ({config})"
    return None


def told(*command: str) -> str:
    """What a command of Slurm prints, nothing where it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def wait(ready: Callable[[], bool], problem: str, seconds: float = 30) -> None:
    """Return as soon as something is so.

    Raises
    ------
    TimeoutError
        It never is.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{problem} (waited {seconds:g} s)")
        time.sleep(0.2)


def begin_now(job: Job) -> None:
    """Do not let a job that is to run again wait for the two minutes that Slurm lets pass."""
    told("scontrol", "update", f"JobId={job.number}", "StartTime=now")


def table(jobs: list[Job], used_mb: Callable[[Job], float | None] = lambda job: None) -> str:
    """The jobs as lines of text: what each asked for, got and used."""
    layout = "{:>5} {:<18} {:<9} {:<4} {:>4} {:<9} {:>8} {:>8} {:>7} {:>7}  {}"
    heads = "job rule partition gres cpus state restarts asked_MB used_MB minutes of"
    rows: list[tuple[object, ...]] = [tuple(heads.split())]
    for job in jobs:
        used, gres = used_mb(job), f"gpu{job.gpus}" if job.gpus else "-"
        asked = (job.partition, gres, job.said["NumCPUs"], job.state, job.restarts, job.memory_mb)
        said = "-" if used is None else round(used)
        rows.append((job.number, job.rule, *asked, said, job.minutes, job.wildcards))
    return "\n".join(layout.format(*row) for row in rows)


def start_munge(folder: Path) -> None:
    """Start what the parts of Slurm know each other by, with a key of its own, unless it runs there."""
    answers = ["munge", "-n", "--socket", str(folder / "munge")]
    if _works(answers):
        return
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    files = {"socket": "munge", "key-file": "munge.key", "pid-file": "munged.pid", "log-file": "munged.log"}
    options = [f"--{option}={folder / name}" for option, name in files.items()]
    # forced, because nobody but root reaches the socket in a folder of pytest
    command = ["munged", "--force", *options, f"--seed-file={folder / 'munge.seed'}"]
    subprocess.run(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, check=True)
    wait(lambda: _works(answers), "munged does not answer")


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
