"""What happens on a real Slurm when memory runs out, daemons die or a node is lost."""

import signal
import time

from cluster import DAEMONS, begin_now, table, wait
from runs import ON_SLURM, SMALL, start


def test_a_job_that_ran_out_of_memory_is_tried_again_with_twice_as_much(slurm, site, tmp_path):
    before = slurm.jobs()
    run = start(site, tmp_path, *ON_SLURM, *SMALL, "greedy.txt")
    assert run.end() == 0, run.output
    jobs = slurm.since(before)
    print(table(jobs))
    assert [(job.memory_mb, job.state) for job in jobs] == [(350, "FAILED"), (700, "COMPLETED")]
    assert "xceeded" in run.output
    assert "memory limit" in run.output


def test_a_job_outlives_the_daemons(slurm, site, tmp_path):
    """Controller and node daemon are killed during a job and started again: the job goes on."""
    before, begun = slurm.jobs(), tmp_path / "slow.begun"
    run = start(site, tmp_path, *ON_SLURM, *SMALL, "slow.txt")
    wait(begun.exists, "the job does not begin", 120)
    (job,) = slurm.since(before)
    slurm.remembers(job)
    for daemon in DAEMONS:
        slurm.kill(daemon)
    time.sleep(5)
    assert run.process.poll() is None
    for daemon in DAEMONS:
        slurm.revive(daemon)
    assert run.end() == 0, run.output
    jobs = slurm.since(before)
    print(table(jobs))
    assert [(job.state, job.restarts) for job in jobs] == [("COMPLETED", 0)]
    assert begun.read_text() == "begun\n"


def test_a_job_whose_node_is_lost_is_run_again(slurm, site, tmp_path):
    """Everything that runs on the node dies, as when it is switched off: the job is begun anew."""
    before, begun = slurm.jobs(), tmp_path / "lost.begun"
    run = start(site, tmp_path, *ON_SLURM, *SMALL, "lost.txt")
    wait(begun.exists, "the job does not begin", 120)
    (job,) = slurm.since(before)
    slurm.lose_node(job)

    def begun_again() -> bool:
        begin_now(job)
        return begun.read_text() == "begun\nbegun\n"

    wait(begun_again, "the job is not begun again", 150)
    assert run.end() == 0, run.output
    jobs = slurm.since(before)
    print(table(jobs))
    assert begun.read_text() == "begun\nbegun\n"
    assert jobs[-1].state == "COMPLETED"
    assert (tmp_path / "lost.txt").read_text() == "done\n"


def test_an_interrupted_run_takes_its_jobs_back_and_can_be_resumed(slurm, site, tmp_path):
    before, begun = slurm.jobs(), tmp_path / "stopped.begun"
    command = (site, tmp_path, *ON_SLURM, *SMALL, "stopped.txt")
    run = start(*command)
    wait(begun.exists, "the job does not begin", 120)
    run.process.send_signal(signal.SIGINT)
    assert run.end() != 0
    wait(lambda: slurm.since(before)[0].state == "CANCELLED", "the job is not cancelled", 60)
    run = start(*command)
    assert run.end() == 0, run.output
    jobs = slurm.since(before)
    print(table(jobs))
    assert [job.state for job in jobs] == ["CANCELLED", "COMPLETED"]
    assert (tmp_path / "stopped.txt").read_text() == "done\n"
