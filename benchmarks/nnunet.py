"""Time and memory of a full-size nnU-Net: python benchmarks/nnunet.py inference|sharing|training.

The network has nnU-Net's usual size for brain tumours (patch 128^3, widths 32 to 320, 31 million weights) and
random weights: what it finds means nothing, how long it takes does. A GPU is used where torch finds one.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from nilearn.datasets import load_mni152_template

sys.path.append(str(Path(__file__).parent.parent / "tests" / "unit"))

from nnunet_files import architecture, make_plans

from gliaflow.segment.segmenters import Entry, Segmenter, load_segmenter

SEQUENCES = ["t1n", "t1c", "t2w", "t2f"]
BEGIN = "import sys; sys.path.insert(0, 'benchmarks'); from pathlib import Path; import nnunet;"
SIZES = ["inference", "sharing", "training"]


def plans(patch: int, widths: list[int]) -> dict:
    return make_plans(architecture(widths, 2), channels=4, patch=patch, spacing=1.0, masked=True)


DATASET = {
    "channel_names": {str(k): name for k, name in enumerate(SEQUENCES)},
    "labels": {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": [3]},
    "regions_class_order": [2, 1, 3],
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def build(folder: Path, folds: int, patch: int, widths: list[int]) -> None:
    """Write a model of random weights in nnU-Net's usual layout."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    planned = plans(patch, widths)
    (folder / "plans.json").write_text(json.dumps(planned))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    manager = PlansManager(planned)
    for fold in range(folds):
        network = nnUNetTrainer.build_network_architecture(
            manager, manager.get_configuration("3d_fullres"), 4, 3, enable_deep_supervision=False
        )
        content = {
            "network_weights": network.state_dict(),
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": "3d_fullres"},
            "inference_allowed_mirroring_axes": (0, 1, 2),
        }
        (folder / f"fold_{fold}").mkdir()
        torch.save(content, folder / f"fold_{fold}" / "checkpoint_final.pth")


def brain() -> nib.Nifti1Image:
    """The bundled brain at 1 mm on the grid of BraTS, 240 x 240 x 155."""
    template = load_mni152_template(resolution=1)
    data = np.zeros((240, 240, 155), np.float32)
    inner = np.asarray(template.dataobj, np.float32)[:, :, 20:175]
    data[20:217, :233] = inner
    return nib.Nifti1Image(data, np.eye(4))


def peak_mb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def segmenter(model: Path, **settings: object) -> Segmenter:
    entry = Entry("full", tuple(SEQUENCES), ("WT", "TC", "ET"), path=model)
    defaults = {
        "folds": None,
        "tta": False,
        "mc_dropout": 0,
        "step": 0.5,
        "cpu_precision": "bfloat16",
        "seed": 0,
    }
    return load_segmenter("nnunet", entry, {**defaults, "threads": torch.get_num_threads(), **settings})


def one_case(model: Path, runs: int, **settings: object) -> dict:
    image = brain()
    loaded = segmenter(model, **settings)
    seconds, members = [], 0
    for _ in range(runs):
        start = time.perf_counter()
        members = sum(1 for _ in loaded.members(dict.fromkeys(SEQUENCES, image), image))
        seconds.append(time.perf_counter() - start)
    return {"members": members, "seconds": round(statistics.median(seconds), 1), "peak_mb": round(peak_mb())}


def in_a_process(command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def inference(model: Path, runs: int) -> None:
    """float32 against bfloat16, one fold, each in a process of its own so that the memory is its own."""
    for precision in ("float32", "bfloat16"):
        case = f"nnunet.one_case(Path({str(model)!r}), {runs}, folds=['0'], cpu_precision={precision!r})"
        command = f"{BEGIN} print({case})"
        done = subprocess.run([sys.executable, "-c", command], check=True, text=True, stdout=subprocess.PIPE)
        print(precision, done.stdout.splitlines()[-1], flush=True)
    if torch.cuda.is_available():
        for folds, tta in (("0",), False), (None, False), (None, True):
            print(
                f"folds {folds or 'all'}, mirrored {tta}:",
                one_case(model, runs, folds=folds, tta=tta),
                flush=True,
            )


def sharing(model: Path, runs: int) -> None:
    """Start a process and load the model: what every session but the first of a shared job saves."""
    load = f"{BEGIN} nnunet.segmenter(Path({str(model)!r}))"
    seconds = sorted(in_a_process(load) for _ in range(runs))
    print(f"start and loading of five folds: {statistics.median(seconds):.1f} s, {seconds}", flush=True)


def training(batches: int) -> None:
    """Seconds and memory of one training step, float32 against 16 bits."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for name, patch, widths in (
        ("full-size, patch 128", 128, [32, 64, 128, 256, 320, 320]),
        ("small, patch 64", 64, [16, 32, 64, 128, 128]),
    ):
        manager = PlansManager(plans(patch, widths))
        network = nnUNetTrainer.build_network_architecture(
            manager, manager.get_configuration("3d_fullres"), 4, 3, enable_deep_supervision=True
        ).to(device)
        optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True)
        data = torch.randn(2, 4, patch, patch, patch, device=device)
        for half in (False, True):
            dtype = torch.bfloat16 if device.type == "cpu" else torch.float16
            seconds = []
            for _ in range(batches):
                begin = time.perf_counter()
                optimiser.zero_grad(set_to_none=True)
                with torch.autocast(device.type, dtype, enabled=half):
                    loss = sum(output.float().square().mean() for output in network(data))
                loss.backward()
                optimiser.step()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - begin)
            kind = str(dtype).removeprefix("torch.") if half else "float32"
            print(
                f"{name}, {kind}: {statistics.median(seconds):.2f} s a batch, peak {peak_mb():.0f} MB",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=SIZES)
    parser.add_argument("--runs", type=int, default=1, help="cases, sessions or batches")
    parser.add_argument("--small", action="store_true", help="patch 64 and widths 16 to 128, to try it out")
    given = parser.parse_args()
    torch.set_num_threads(2)
    if given.what == "training":
        training(given.runs)
        return
    patch, widths = (64, [16, 32, 64, 128, 128]) if given.small else (128, [32, 64, 128, 256, 320, 320])
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), 5 if given.what == "sharing" or torch.cuda.is_available() else 1, patch, widths)
        (inference if given.what == "inference" else sharing)(Path(folder), given.runs)


if __name__ == "__main__":
    main()
