"""What nnU-Net reads from the environment: its folders, and how many processes it may start."""

import os
from pathlib import Path


def prepare_nnunet(
    *,
    threads: int = 1,
    augmenters: int = 1,
    raw: Path | None = None,
    preprocessed: Path | None = None,
    results: Path | None = None,
    compile_network: bool = False,
) -> None:
    """Set nnU-Net's environment for this process; call it before anything of nnU-Net is imported.

    Parameters
    ----------
    threads
        For torch, and processes of the steps that nnU-Net splits by cases.
    augmenters
        Processes that augment while the network trains; with 0 the training process does it itself.
    raw, preprocessed, results
        nnU-Net's folders, where the step uses them.
    compile_network
        Whether nnU-Net compiles its network for a GPU (never on a CPU).
    """
    folders = {"nnUNet_raw": raw, "nnUNet_preprocessed": preprocessed, "nnUNet_results": results}
    os.environ.update({name: str(path.resolve()) for name, path in folders.items() if path is not None})
    os.environ.update(
        nnUNet_def_n_proc=str(threads),
        nnUNet_n_proc_DA=str(augmenters),
        nnUNet_compile="t" if compile_network else "f",
        nnUNet_wandb_enabled="0",
    )
    import torch

    torch.set_num_threads(threads)
