"""The losses agree with nnU-Net's, and with what numpy says of the worst voxels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.training.loss.compound_losses import DC_and_BCE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

from gliaflow.train.losses import LOSSES, DiceTopK, Float32, dice_ce

SMOOTH = 1e-5
SHAPE = (2, 3, 4, 5, 6)


def batch(seed=0, dtype=torch.bool):
    """Logits and target of two patches with three regions, the last of which is in none of them."""
    random = torch.Generator().manual_seed(seed)
    target = torch.rand(SHAPE, generator=random) > 0.7
    target[:, 2] = False
    return 3 * torch.randn(SHAPE, generator=random), target.to(dtype)


def soft_dice(logits, target, batch_dice):
    """Minus the mean Dice of the probabilities, by its definition."""
    probability, true = 1 / (1 + np.exp(-logits.numpy().astype(float))), target.numpy().astype(float)
    axes = (0, 2, 3, 4) if batch_dice else (2, 3, 4)
    overlap = (probability * true).sum(axes)
    return -((2 * overlap + SMOOTH) / (probability.sum(axes) + true.sum(axes) + SMOOTH)).mean()


def cross_entropy(logits, target):
    """The binary cross-entropy of each voxel, by its definition."""
    probability, true = 1 / (1 + np.exp(-logits.numpy().astype(float))), target.numpy().astype(bool)
    return -np.log(np.where(true, probability, 1 - probability))


def worst(logits, target, percent):
    """The mean over regions of the mean of their worst voxels in the whole batch."""
    means = []
    for region in range(SHAPE[1]):
        values = np.sort(cross_entropy(logits, target)[:, region].ravel())[::-1]
        means.append(values[: round(percent / 100 * len(values))].mean())
    return np.mean(means)


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.int16])
def test_dice_and_cross_entropy_are_nnunets_loss_for_regions(batch_dice, dtype):
    own = {"batch_dice": batch_dice, "do_bg": True, "smooth": SMOOTH, "ddp": False}
    theirs = DC_and_BCE_loss({}, own, dice_class=MemoryEfficientSoftDiceLoss)
    logits, target = batch(dtype=dtype)
    loss = LOSSES["dice_ce"](10, batch_dice=batch_dice)(logits, target)
    torch.testing.assert_close(loss, theirs(logits, target))
    by_hand = soft_dice(logits, target, batch_dice) + cross_entropy(logits, target).mean()
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("percent", [1, 10, 37.5, 100])
def test_dice_and_the_worst_voxels_are_what_numpy_says(batch_dice, percent):
    logits, target = batch()
    loss = LOSSES["dice_topk"](percent, batch_dice=batch_dice)(logits, target)
    by_hand = soft_dice(logits, target, batch_dice) + worst(logits, target, percent)
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_the_worst_voxels_golden():
    """Of ten voxels of each region, one is kept: the one whose probability of the truth is 1/4 or 1/10."""
    logits = torch.full((1, 2, 1, 1, 10), 4.0)
    logits[0, 0, 0, 0, 3] = -np.log(3)
    logits[0, 1, 0, 0, 7] = -np.log(9)
    target = torch.ones_like(logits)
    loss = DiceTopK(10, batch_dice=True)
    kept = loss(logits, target) - loss.dice(logits, target)
    assert kept.item() == pytest.approx((np.log(4) + np.log(10)) / 2, rel=1e-6)


@pytest.mark.parametrize("batch_dice", [True, False])
def test_all_voxels_are_the_plain_cross_entropy(batch_dice):
    logits, target = batch(1)
    every, plain = DiceTopK(100, batch_dice=batch_dice), dice_ce(100, batch_dice=batch_dice)
    torch.testing.assert_close(every(logits, target), plain(logits, target))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(0.01, 100))
def test_fewer_voxels_are_worse_ones(seed, first, second):
    logits, target = batch(seed)
    fewer, more = (DiceTopK(p, batch_dice=True)(logits, target) for p in sorted([first, second]))
    assert fewer >= more - 1e-5


def test_at_least_one_voxel_is_kept():
    logits, target = batch()
    loss = DiceTopK(1e-6, batch_dice=True)
    largest = cross_entropy(logits, target).max(axis=(0, 2, 3, 4)).mean()
    assert (loss(logits, target) - loss.dice(logits, target)).item() == pytest.approx(largest, rel=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_has_the_lowest_loss(name):
    _, target = batch()
    target[:, 2, 0] = True
    perfect = 40.0 * (2 * target.float() - 1)
    loss = LOSSES[name](10, batch_dice=True)
    assert loss(perfect, target).item() == pytest.approx(-1, abs=1e-4)
    assert loss(-perfect, target) > 10


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_reach_the_logits_and_point_downhill(name):
    logits, target = batch()
    logits.requires_grad_()
    loss = Float32(LOSSES[name](10, batch_dice=True))
    before = loss(logits, target)
    before.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().amax(dim=(2, 3, 4)).min() > 0, "every region of every patch learns"
    assert loss(logits.detach() - 0.5 * logits.grad, target) < before


class Product(torch.nn.Module):
    """A loss of a product, which autocast would compute in 16 bits."""

    def forward(self, logits, target):
        return (logits @ target).sum()


def test_even_a_product_is_computed_in_float32():
    logits, target = torch.full((1, 64), 0.1), torch.full((64, 1), 0.3)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, exact = Product()(logits, target), Float32(Product())(logits, target)
    assert (rounded.dtype, exact.dtype) == (torch.bfloat16, torch.float32)
    assert exact.item() == pytest.approx(64 * 0.03, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_computed_in_float32_whatever_the_network_computes_in(name):
    logits, target = batch()
    plain = LOSSES[name](10, batch_dice=True)
    rounded = logits.bfloat16()
    expected = plain(rounded.float(), target)
    with torch.autocast("cpu", torch.bfloat16):
        found = Float32(plain)(rounded, target)
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == torch.bfloat16, "autocast was on around it"
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
