"""Sequences are left out as often as asked, whole, and never all of them."""

import numpy as np
import pytest
import torch

from gliaflow.train.sequence_dropout import SequenceDropout

DRAWS = 4000


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(7)


def patch(sequences=4):
    return torch.rand(sequences, 3, 4, 5) + 0.5


def drawn(probability, sequences):
    """Which sequences stay in many draws: bool, shape (draws, sequences)."""
    transform, image = SequenceDropout(probability), torch.ones(sequences, 1, 1, 1)
    return torch.stack([transform.get_parameters(image=image)["stays"] for _ in range(DRAWS)])


def test_a_sequence_is_zero_or_untouched_and_the_labels_stay():
    transform, image = SequenceDropout(0.5), patch()
    segmentation = torch.randint(0, 4, (1, 3, 4, 5))
    seen = set()
    for _ in range(50):
        given = {"image": image.clone(), "segmentation": segmentation.clone()}
        result = transform(**given)
        stays = result["image"].flatten(1).any(dim=1)
        assert torch.equal(result["image"][stays], image[stays])
        assert not result["image"][~stays].any()
        assert torch.equal(result["segmentation"], segmentation)
        seen.add(tuple(stays.tolist()))
    assert len(seen) > 8, "every call draws anew"


@pytest.mark.parametrize("shape", [(2, 5, 6), (3, 4, 5, 6)])
def test_patches_of_two_and_three_dimensions_keep_their_shape_and_type(shape):
    image = torch.rand(shape)
    result = SequenceDropout(0.5)(image=image)["image"]
    assert (result.shape, result.dtype) == (image.shape, image.dtype)


@pytest.mark.parametrize("sequences", [1, 2, 4])
@pytest.mark.parametrize("probability", [0.5, 0.9, 1.0])
def test_one_sequence_always_stays(sequences, probability):
    assert drawn(probability, sequences).any(dim=1).all()


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.25, 0.5])
def test_each_sequence_is_left_out_as_often_as_asked(probability):
    """All four would go in p^4 of the draws; one of them, by chance, then stays."""
    left_out = 1 - drawn(probability, 4).float().mean(dim=0)
    expected = probability - probability**4 / 4
    assert left_out == pytest.approx([expected] * 4, abs=0.025)


def test_where_all_would_go_each_is_as_likely_to_stay():
    stays = drawn(1.0, 3).float()
    assert (stays.sum(dim=1) == 1).all()
    assert stays.mean(dim=0) == pytest.approx([1 / 3] * 3, abs=0.03)


def test_sequences_go_independently_of_each_other():
    """Without the draws in which all of four went, two go together in p^2 of them, less half of p^4."""
    gone = ~drawn(0.5, 4)
    together = (gone[:, 0] & gone[:, 1]).float().mean().item()
    assert together == pytest.approx(0.25 - 0.5**4 / 2, abs=0.025)


def test_without_probability_nothing_is_left_out():
    image = patch()
    assert all(torch.equal(SequenceDropout(0.0)(image=image)["image"], image) for _ in range(20))


def test_the_draw_follows_from_numpys_seed():
    first = drawn(0.5, 4)
    np.random.seed(7)
    assert torch.equal(drawn(0.5, 4), first)
