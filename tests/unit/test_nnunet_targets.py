"""A package says whether it finds tumours or the brain, and is used for nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest
from nnunet_files import manifest

from gliaflow.errors import ConfigError
from gliaflow.nnunet.manifest import check_target, differences, label_names, manifest_bytes, parse_manifest
from gliaflow.nnunet.targets import inside_region


def brain_manifest(**changes):
    values = {"sequences": ("any",), "optional": (), "regions": ("brain",), "target": "brain"}
    return manifest(**values | {"labels": label_names("brain"), "atlas": "none", "n4": {}} | changes)


def test_a_manifest_of_brain_extraction_is_read_as_it_was_written():
    assert parse_manifest(manifest_bytes(brain_manifest()), "here") == brain_manifest()


def test_without_a_target_a_package_finds_tumours():
    content = json.loads(manifest_bytes(manifest()))
    del content["target"]
    assert parse_manifest(json.dumps(content).encode(), "here") == manifest()


@pytest.mark.parametrize(
    "wrong",
    [
        brain_manifest(regions=("WT",)),
        brain_manifest(sequences=("any", "t1c")),
        manifest(regions=("WT", "brain")),
        manifest(regions=("brain",)),
    ],
)
def test_target_regions_and_sequences_have_to_go_together(wrong):
    with pytest.raises(ConfigError, match="do not go together; export the model again"):
        parse_manifest(manifest_bytes(wrong), "here")


def test_labels_of_another_target_are_refused():
    with pytest.raises(ConfigError, match="wrong label table"):
        parse_manifest(manifest_bytes(brain_manifest(labels=label_names())), "here")


def test_a_package_is_used_for_what_it_was_trained_for():
    check_target(brain_manifest(), "brain", "m.zip")
    check_target(manifest(), "tumour", "m.zip")
    check_target(None, "tumour", "public.zip")
    with pytest.raises(ConfigError, match=r"m\.zip: is a model of brain extraction and finds no tumour"):
        check_target(brain_manifest(), "tumour", "m.zip")
    with pytest.raises(ConfigError, match=r"m\.zip: is no model of brain extraction"):
        check_target(manifest(), "brain", "m.zip")
    with pytest.raises(ConfigError, match=r"public\.zip: is no model of brain extraction"):
        check_target(None, "brain", "public.zip")


def test_segmentation_refuses_a_package_of_brain_extraction():
    with pytest.raises(ConfigError, match="tiny: is a model of brain extraction"):
        differences(manifest(), replace(brain_manifest(), name="tiny"))


def test_the_brain_of_a_label_map_is_what_is_marked():
    labels = np.array([0, 1, 0, 1], np.uint8)
    assert inside_region(labels, "brain").tolist() == [False, True, False, True]
    assert inside_region(np.array([0, 1, 2, 3]), "TC").tolist() == [False, True, False, True]
