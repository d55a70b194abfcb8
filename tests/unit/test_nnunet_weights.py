"""Checkpoints come in as tensors and plain values, and nothing in them is run."""

import io
import pickle
from random import Random

import numpy as np
import pytest
import torch
from nnunet_files import CONFIGURATION, RunsCode, checkpoint, weights

from gliaflow.errors import ConfigError
from gliaflow.nnunet.weights import checkpoint_bytes, for_inference, read_checkpoint


def saved(content, **settings):
    stream = io.BytesIO()
    torch.save(content, stream, **settings)
    return stream.getvalue()


def test_a_checkpoint_with_numpy_numbers_in_its_log_is_read_whole():
    found = read_checkpoint(checkpoint(), "a.pth")
    assert found["_best_ema"] == 0.5
    assert found["logging"]["mean_fg_dice"] == [0.5, 0.25]
    np.testing.assert_array_equal(found["logging"]["dice_per_class_or_region"], [[0.5, 0.25], [1, 2]])
    for name, tensor in weights().items():
        assert torch.equal(found["network_weights"][name], tensor)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "f2", "f4", "f8"],
)
def test_every_type_of_number_is_read(dtype):
    numbers = [np.dtype(dtype).type(1), np.ones((2, 3), dtype)]
    for _ in range(2):
        found = read_checkpoint(saved({"network_weights": {}, "logging": numbers}), "a.pth")["logging"]
        assert [value.dtype for value in found] == [np.dtype(dtype)] * 2


def test_numbers_that_were_saved_by_numpy_1_are_read():
    new = checkpoint(logging=[np.float64(0.5), np.arange(3.0)])
    stream = io.BytesIO()
    with torch.serialization._open_zipfile_writer(stream) as target:
        source = torch._C.PyTorchFileReader(io.BytesIO(new))
        for name in source.get_all_records():
            content = source.get_record(name).replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
            if not name.startswith("."):
                target.write_record(name, content, len(content))
    assert b"numpy.core.multiarray" in stream.getvalue()
    assert b"numpy._core" not in stream.getvalue()
    found = read_checkpoint(stream.getvalue(), "a.pth")["logging"]
    assert found[0] == 0.5
    np.testing.assert_array_equal(found[1], [0, 1, 2])


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["logging", "network_weights", "init_args"])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_nothing(tmp_path, place, legacy):
    mark = tmp_path / "ran"
    content = {"network_weights": {}, place: {"a": RunsCode(mark)}}
    evil = saved(content, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ConfigError, match=r"^a\.pth: holds code \(.*open\), which is not run"):
        read_checkpoint(evil, "a.pth")
    assert not mark.exists()
    torch.load(io.BytesIO(evil), weights_only=False)
    assert mark.exists(), "the test's checkpoint is harmless, so it shows nothing"


def test_code_inside_an_array_of_objects_is_refused(tmp_path):
    array = np.array([RunsCode(tmp_path / "ran")], dtype=object)
    with pytest.raises(ConfigError, match=r"a\.pth: "):
        read_checkpoint(saved({"network_weights": {}, "logging": array}), "a.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_plain_pickle_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.pth: "):
        read_checkpoint(pickle.dumps({"network_weights": RunsCode(tmp_path / "ran")}), "a.pth")
    assert not (tmp_path / "ran").exists()


def test_numpy_is_allowed_only_while_a_checkpoint_is_read():
    before = set(torch.serialization.get_safe_globals())
    read_checkpoint(checkpoint(), "a.pth")
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(checkpoint()), weights_only=True)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", checkpoint()[:2000], saved({})[:-30]])
def test_a_damaged_checkpoint_is_named(content):
    with pytest.raises(ConfigError, match=r"^a\.pth: is damaged") as caught:
        read_checkpoint(content, "a.pth")
    assert "weights_only" not in str(caught.value), "torch's advice is to run the code"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_changed_bytes_never_end_in_another_error():
    whole, random = saved({"network_weights": {"a": torch.zeros(2)}, "logging": [np.float64(1)]}), Random(0)
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(5):
            content[random.randrange(len(content))] = random.randrange(256)
        try:
            read_checkpoint(bytes(content), "a.pth")
        except ConfigError:
            refused += 1
    assert refused > 50


def test_a_checkpoint_can_be_read_from_a_file(tmp_path):
    (tmp_path / "a.pth").write_bytes(checkpoint())
    assert (
        read_checkpoint(tmp_path / "a.pth", "a.pth").keys() == read_checkpoint(checkpoint(), "a.pth").keys()
    )
    with pytest.raises(ConfigError, match=r"b\.pth: is damaged"):
        read_checkpoint(tmp_path / "b.pth", "b.pth")


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"network_weights": None},
        {"network_weights": {"a": 1}},
        {"network_weights": {1: torch.zeros(1)}},
        {"network_weights": {1: torch.zeros(1)}},
        torch.zeros(1),
    ],
)
def test_a_file_without_weights_is_refused(content):
    with pytest.raises(ConfigError, match=r"a\.pth: has no network_weights"):
        read_checkpoint(saved(content), "a.pth")


def test_inference_needs_four_things():
    reduced = for_inference(read_checkpoint(checkpoint(), "a.pth"), "a.pth")
    assert sorted(reduced) == [
        "inference_allowed_mirroring_axes",
        "init_args",
        "network_weights",
        "trainer_name",
    ]
    assert reduced["init_args"] == {"configuration": CONFIGURATION}
    assert reduced["trainer_name"] == "nnUNetTrainer"
    assert reduced["inference_allowed_mirroring_axes"] == (0, 1, 2)
    assert len(checkpoint_bytes(reduced)) < len(checkpoint())


def test_a_reduced_checkpoint_stays_as_it_is():
    once = checkpoint_bytes(for_inference(read_checkpoint(checkpoint(), "a.pth"), "a.pth"))
    twice = checkpoint_bytes(for_inference(read_checkpoint(once, "a.pth"), "a.pth"))
    assert once == twice
    assert checkpoint_bytes(for_inference(read_checkpoint(checkpoint(1), "a.pth"), "a.pth")) != once


@pytest.mark.parametrize("axes", [..., None])
def test_a_network_without_mirroring_has_no_axes(axes):
    content = checkpoint(inference_allowed_mirroring_axes=axes)
    assert for_inference(read_checkpoint(content, "a"), "a")["inference_allowed_mirroring_axes"] is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"trainer_name": ...}, "lacks trainer_name"),
        ({"trainer_name": "os.system"}, "lacks trainer_name"),
        ({"init_args": ...}, r"lacks .* init_args\.configuration"),
        ({"init_args": {"configuration": 3}}, r"lacks .* init_args\.configuration"),
        ({"inference_allowed_mirroring_axes": (0, 3)}, "inference_allowed_mirroring_axes is"),
        ({"inference_allowed_mirroring_axes": [[0]]}, "inference_allowed_mirroring_axes is"),
        ({"inference_allowed_mirroring_axes": 1}, "inference_allowed_mirroring_axes is"),
    ],
)
def test_what_inference_needs_has_to_be_there(changes, named):
    with pytest.raises(ConfigError, match=rf"a\.pth: {named}"):
        for_inference(read_checkpoint(checkpoint(**changes), "a.pth"), "a.pth")
