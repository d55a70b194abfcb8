"""The networks: each takes what is seen of sessions, missing sequences zero and masked, and gives log odds.

Of several classes they give logits, one for each. A new one is a class, a line in `NETWORKS`, and a name in
`gliaflow.predict.names`. All normalise by groups of channels, never over a batch: batches are small, and a
missing sequence must not change the others.
"""

from collections.abc import Mapping

import torch
from monai.networks.nets.densenet import DenseNet
from monai.networks.nets.efficientnet import EfficientNet
from monai.networks.nets.resnet import resnet10
from torch import Tensor, nn

from gliaflow.marker.attention_fusion import AttentionFusion
from gliaflow.marker.base import GROUPS, SMALL_DENSENET, Design, Network, as_odds, with_presence
from gliaflow.marker.graph_network import AtlasGraphNetwork
from gliaflow.marker.names import SLICE

FEATURES = 512
B0 = [
    "r1_k3_s11_e1_i32_o16_se0.25",
    "r2_k3_s22_e6_i16_o24_se0.25",
    "r2_k5_s22_e6_i24_o40_se0.25",
    "r3_k3_s22_e6_i40_o80_se0.25",
    "r3_k5_s11_e6_i80_o112_se0.25",
    "r4_k5_s22_e6_i112_o192_se0.25",
    "r1_k3_s11_e6_i192_o320_se0.25",
]
"""The blocks of EfficientNet-B0 (Tan and Le 2019), as MONAI writes them."""


class MedianSlice(Network):
    """Two convolutions and three dense layers on the slice that halves the tumour (BrainLes 2021, S18).

    Unlike in the paper the slice is chosen by the tumour, the output is one logit without ReLU, and any
    sequences are channels, with a further input for each that says whether it is there.
    """

    takes = SLICE

    def __init__(self, design: Design) -> None:
        super().__init__()
        sequences = design.sequences
        self.layers = nn.Sequential(
            nn.Conv2d(sequences, 6, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(8),
            nn.Flatten(),
        )
        self.dense = nn.Sequential(
            nn.Linear(16 * 8 * 8 + sequences, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 1),
        )

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Return log odds (b,) of slices (b, sequences, y, x) and presence (b, sequences)."""
        found: Tensor = self.dense(torch.cat([self.layers(images), present], dim=1))
        return found[:, 0]


class EfficientNet3dLate(Network):
    """A 3-D EfficientNet-B0 for each sequence, whose log odds are averaged by learned weights (S20, S29).

    The weights of the sequences that are there add up to 1, whichever these are.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        sequences = design.sequences
        self.branches = nn.ModuleList(
            EfficientNet(
                B0, spatial_dims=3, in_channels=1, num_classes=1, image_size=design.voxels, norm=GROUPS
            )
            for _ in range(sequences)
        )
        for branch in self.branches:
            # MONAI's start is for many classes: with one, the first log odds would be far from 0
            nn.init.normal_(branch.get_submodule("_fc").weight, std=0.01)  # type: ignore[arg-type]
        self.weights = nn.Parameter(torch.zeros(sequences))

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Return log odds (b,) of cubes (b, sequences, x, y, z) and presence (b, sequences)."""
        found = [branch(images[:, [k]])[:, 0] for k, branch in enumerate(self.branches)]
        share = torch.softmax(self.weights.masked_fill(present == 0, -torch.inf), dim=1)
        return (torch.stack(found, dim=1) * share).sum(dim=1)


class DenseNet3dCrop(Network):
    """A 3-D DenseNet on the cube around the tumour, all sequences as channels.

    A constant channel for each sequence says whether it is there.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        sequences = design.sequences
        self.network = DenseNet(
            spatial_dims=3,
            in_channels=2 * sequences,
            out_channels=design.outputs,
            **SMALL_DENSENET,
        )

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Return log odds (b,) or logits (b, classes) of cubes (b, sequences, x, y, z) and presence."""
        return as_odds(self.network(with_presence(images, present)))


class FrozenLocal(Network):
    """Features that are not trained, fused by a locally connected layer (S25).

    Feature i of the fused vector is ``sum_j f_ij w_ij + b_i`` over the sequences j that are there, scaled to
    their number; then two dense layers. The features are the pooled last maps of a 3-D ResNet-10 (the paper's
    network for video, C3D, is not to be had), whose weights are those of `load_frozen` or stay as drawn.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        sequences = design.sequences
        self.frozen = resnet10(
            spatial_dims=3, n_input_channels=1, conv1_t_stride=2, feed_forward=False, bias_downsample=False
        )
        self.frozen.requires_grad_(False)
        self.scale = nn.LayerNorm(FEATURES, elementwise_affine=False)
        self.fusion = nn.Parameter(torch.randn(sequences, FEATURES) * sequences**-0.5)
        self.bias = nn.Parameter(torch.zeros(FEATURES))
        self.dense = nn.Sequential(
            *(nn.Dropout(0.5), nn.ReLU(), nn.Linear(FEATURES, 256)),
            *(nn.Dropout(0.5), nn.ReLU(), nn.Linear(256, 128)),
            *(nn.Dropout(0.5), nn.ReLU(), nn.Linear(128, 1)),
        )

    def train(self, mode: bool = True) -> "FrozenLocal":
        """Switch training on or off, but for the frozen part, whose statistics stay."""
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Return log odds (b,) of cubes (b, sequences, x, y, z) and presence (b, sequences)."""
        with torch.no_grad():
            features = self.frozen(images.flatten(0, 1).unsqueeze(1)).flatten(1)
        features = self.scale(features).unflatten(0, images.shape[:2])
        share = present * present.shape[1] / present.sum(dim=1, keepdim=True)
        fused = (features * self.fusion * share[:, :, None]).sum(dim=1) + self.bias
        found: Tensor = self.dense(fused)
        return found[:, 0]


NETWORKS: Mapping[str, type[Network]] = {
    "median_slice": MedianSlice,
    "efficientnet3d_late": EfficientNet3dLate,
    "densenet3d_crop": DenseNet3dCrop,
    "frozen_local": FrozenLocal,
    "atlas_graph": AtlasGraphNetwork,
    "attention_fusion": AttentionFusion,
}
"""By the names of `gliaflow.predict.names.NETWORKS`."""
