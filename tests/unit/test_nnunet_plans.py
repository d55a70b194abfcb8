"""Which classes plans may name: nnU-Net's networks, torch's layers, and nothing else that could run."""

import copy
import warnings

import pytest
from nnunet_files import ARCHITECTURE, CONFIGURATION, OLD_CONFIGURATION, PLANS
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from gliaflow.errors import ConfigError
from gliaflow.nnunet.plans import check_network, check_plans

UNETS = "dynamic_network_architectures.architectures.unet"


def changed(path, value):
    """Copy the plans with one value changed, named by its keys below the configuration."""
    plans = copy.deepcopy(PLANS)
    inner = plans["configurations"][CONFIGURATION]
    *parents, last = path.split(".")
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return plans


def architecture(network=None, **parts):
    result = copy.deepcopy(ARCHITECTURE)
    result["network_class_name"] = network or result["network_class_name"]
    result["arch_kwargs"] |= parts
    return result


def test_plans_of_nnunet_pass():
    check_plans(PLANS, "plans.json")
    check_plans(changed("architecture.arch_kwargs.dropout_op", "torch.nn.Dropout3d"), "plans.json")
    assert check_network(ARCHITECTURE, "plans.json") == ARCHITECTURE
    check_network(architecture(f"{UNETS}.ResidualEncoderUNet"), "plans.json")
    heir = {
        "configurations": PLANS["configurations"]
        | {"large": {"inherits_from": CONFIGURATION, "batch_size": 9}}
    }
    check_plans(heir, "plans.json")


@pytest.mark.parametrize("name", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_plans_from_before_nnunet_2_3_pass(name):
    old = {"configurations": {CONFIGURATION: OLD_CONFIGURATION | {"UNet_class_name": name}}}
    check_plans(old, "plans.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        configuration = PlansManager(copy.deepcopy(old)).get_configuration(CONFIGURATION)
    assert isinstance(configuration, ConfigurationManager)
    found = check_network(configuration.configuration["architecture"], "plans.json")
    assert found["network_class_name"] == f"{UNETS}.{name}"


@pytest.mark.parametrize(
    "name",
    [
        "subprocess.Popen",
        "os.system",
        "builtins.eval",
        "dynamic_network_architectures_evil.Net",
        "dynamic_network_architectures",
        f"{UNETS}.__builtins__.eval",
        f"{UNETS}..PlainConvUNet",
        f"{UNETS}.Plain ConvUNet",
        f"{UNETS}.PlainConvUNet\n",
        f"{UNETS}.PlainConvUNet()",
        "",
        None,
        3,
        ["os.system"],
    ],
)
def test_a_network_that_is_not_nnunets_is_refused_by_its_name(name):
    with pytest.raises(
        ConfigError, match=r"plans\.json, .*3d_fullres\.architecture\.network_class_name: .*not run"
    ):
        check_plans(changed("architecture.network_class_name", name), "plans.json")
    with pytest.raises(ConfigError):
        check_network({**ARCHITECTURE, "network_class_name": name}, "plans.json")


@pytest.mark.parametrize(
    "name",
    ["os.system", "torch.hub.load", "torch.load", "torch.nn.__loader__.exec", "torch.nn..Conv3d", 3, ["a"]],
)
def test_a_part_that_is_not_torchs_is_refused_by_its_name(name):
    with pytest.raises(ConfigError, match=r"arch_kwargs\.nonlin: .* not run"):
        check_plans(changed("architecture.arch_kwargs.nonlin", name), "plans.json")


@pytest.mark.parametrize(
    "name",
    [
        f"{UNETS}.torch.os.system",
        f"{UNETS}.torch.load",
        f"{UNETS}.nn.Sequential",
        f"{UNETS}.Union",
        f"{UNETS}.NoSuchNetwork",
        "dynamic_network_architectures.architectures.unet",
    ],
)
def test_a_network_that_resolves_to_something_else_is_refused_when_it_is_built(name):
    check_plans(changed("architecture.network_class_name", name), "plans.json")
    with pytest.raises(ConfigError, match="is no network that dynamic_network_architectures has"):
        check_network(architecture(name), "plans.json")


@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.modules.module.warnings.warn",
        "torch.nn.modules.module.torch.load",
        "torch.nn.modules",
        "torch.nn.NoSuch",
    ],
)
def test_a_part_that_resolves_to_something_else_is_refused_when_it_is_built(name):
    check_plans(changed("architecture.arch_kwargs.norm_op", name), "plans.json")
    with pytest.raises(ConfigError, match=r"norm_op is .* no layer or function of torch.nn"):
        check_network(architecture(norm_op=name), "plans.json")


def test_a_function_of_torch_nn_may_be_a_part():
    check_network(architecture(nonlin="torch.nn.functional.relu"), "plans.json")


@pytest.mark.parametrize("name", ["os.system", "a b", "", "../x", 3, ["x"]])
@pytest.mark.parametrize(
    "key", ["preprocessor_name", "resampling_fn_data", "resampling_fn_seg", "resampling_fn_probabilities"]
)
def test_names_that_are_looked_up_are_plain(key, name):
    with pytest.raises(ConfigError, match=rf"configurations\.3d_fullres\.{key}: .* not a plain name"):
        check_plans(changed(key, name), "plans.json")


@pytest.mark.parametrize("key", ["image_reader_writer", "label_manager"])
def test_readers_and_label_managers_are_plain_names(key):
    with pytest.raises(ConfigError, match=rf"plans\.json, {key}: 'os\.system' is not a plain name"):
        check_plans(PLANS | {key: "os.system"}, "plans.json")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("normalization_schemes", ["ZScoreNormalization", "os.system"], "not a plain name"),
        ("normalization_schemes", "ZScoreNormalization", "not a list"),
        ("UNet_class_name", "os.system", "none of PlainConvUNet, ResidualEncoderUNet"),
        ("UNet_class_name", ["PlainConvUNet"], "none of PlainConvUNet"),
        ("architecture", None, "describes no network"),
        ("architecture.arch_kwargs", [], "describes no network"),
        ("architecture._kw_requires_import", None, "describes no network"),
        ("architecture._kw_requires_import", ["absent"], "'absent' is not in arch_kwargs"),
        ("architecture._kw_requires_import", [["conv_op"]], "is not in arch_kwargs"),
    ],
)
def test_plans_that_are_malformed_are_named(path, value, named):
    with pytest.raises(ConfigError, match=named):
        check_plans(changed(path, value), "plans.json")


@pytest.mark.parametrize(
    "configurations",
    [
        None,
        {},
        [],
        {"2d": None},
        {"2d": {}},
        {"2d": {"inherits_from": "3d"}},
        {"2d": {"inherits_from": ["2d"]}},
        {"2d": {"inherits_from": "3d"}, "3d": {"inherits_from": "2d"}},
    ],
)
def test_plans_without_a_network_are_refused(configurations):
    with pytest.raises(ConfigError, match=r"plans\.json"):
        check_plans({"configurations": configurations}, "plans.json")
