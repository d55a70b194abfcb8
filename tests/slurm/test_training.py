"""A training on a real Slurm whose node is lost goes on from its checkpoint."""

import json

from balls import CONFIG, write_heads
from cluster import begin_now, table, wait
from runs import ON_SLURM, start

FOLD = "training/head/folds/dice_ce/fold_0"
CORES = ("train_take=2", "train_preprocess=2", "train_fold=2")
EPOCHS = 16


def test_a_training_whose_node_is_lost_goes_on_from_its_checkpoint(slurm, site, tmp_path):
    config = {**CONFIG, "samples": [str(write_heads(tmp_path))]}
    config["train"] = {**CONFIG["train"], "epochs": EPOCHS, "iterations": 3}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    given = ("--set-threads", *CORES, "--configfile", tmp_path / "config.json")
    folder = tmp_path / "out"
    run = start(site, folder, f"{FOLD}/checkpoint_final.pth", *ON_SLURM, *given)

    def begun() -> bool:
        assert run.process.poll() is None, run.output
        return bool(list(folder.rglob("checkpoint_latest.pth")))

    wait(begun, "the training does not begin", 300)
    (job,) = [job for job in slurm.jobs() if job.rule == "train_fold"]
    assert (job.partition, job.gpus) == ("gpu", 1)
    slurm.lose_node(job)

    def goes_on() -> bool:
        begin_now(job)
        return run.process.poll() is not None

    wait(goes_on, "the training does not end", 600)
    assert run.end() == 0, run.output
    print("", table(slurm.jobs()), sep="\n")
    said = (folder / "logs" / "train_fold" / "head_dice_ce_fold-0.log").read_text(encoding="utf-8")
    assert "Resumes after epoch" in said
    assert f"Epoch {EPOCHS - 1}" in said
    assert "Epoch 0 " not in said
