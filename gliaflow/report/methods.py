"""The methods of a session in words, made from what its sidecars say was done, with references."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gliaflow import __version__
from gliaflow.growth.names import EIKONAL, REACTION_DIFFUSION
from gliaflow.report.session_files import SessionFiles

TABLE = Path(__file__).parents[2] / "resources" / "report" / "references.tsv"
Said = Mapping[str, Any]
BRAIN = {
    "given": ("The brain mask was given with the scans.", ()),
    "stripped": ("The scans were skull-stripped already; what is not zero in them was taken as brain.", ()),
    "embedded": (
        "The brain was found by registering a head template to every sequence and a Markov random field on "
        "the "
        "intensities that it suggests.",
        ("ants",),
    ),
    "hd-bet": ("The brain was found by HD-BET.", ("hdbet",)),
}
NORMALISED = {
    "zscore": ("to mean 0 and standard deviation 1 inside the brain", ()),
    "percentile": ("by percentiles of the intensities inside the brain", ()),
    "histogram": ("by histogram matching inside the brain", ("nyul",)),
}
FUSED = {
    "mean": ("the mean of their probabilities", ()),
    "logit_mean": ("the mean of the logits of their probabilities", ()),
    "weighted_mean": ("the weighted mean of their probabilities", ()),
    "majority": ("a majority vote", ()),
    "staple": ("STAPLE", ("staple",)),
    "simple": ("SIMPLE", ("simple",)),
}
GROWN = {
    REACTION_DIFFUSION: (
        "a reaction-diffusion model with different diffusivities in white and grey matter",
        ("swanson",),
    ),
    EIKONAL: ("an eikonal front with different speeds in white and grey matter", ("eikonal",)),
}
UNSURE = {
    "entropy": "the entropy of the mean probability",
    "variance": "the variance of the members' probabilities",
    "mutual_information": "the mutual information of prediction and member",
    "expected_entropy": "the mean of the members' entropies",
    "agreement": "the share of the members that agree",
}


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the keys of what it cites."""

    text: str
    cites: Sequence[str] = ()


@dataclass(frozen=True)
class Reference:
    """One row of resources/report/references.tsv."""

    key: str
    text: str
    doi: str


@dataclass(frozen=True)
class Methods:
    """Paragraphs with numbers in brackets, and the references in the order of these numbers."""

    paragraphs: tuple[str, ...]
    references: tuple[Reference, ...]


@cache
def all_references() -> dict[str, Reference]:
    """Read the references that methods may cite.

    >>> all_references()["n4"].doi
    '10.1109/TMI.2010.2046908'
    """
    with TABLE.open(encoding="utf-8") as stream:
        return {row["key"]: Reference(**row) for row in csv.DictReader(stream, delimiter="\t")}


def describe_methods(files: SessionFiles) -> Methods:
    """Describe what was done with a session, for the methods section of a paper.

    Parameters
    ----------
    files
        The session; what was not done is not described.
    """
    parts = (_prepared, _segmented, _unsure, _measured, _grown)
    return number([list(part(files)) for part in parts])


def number(paragraphs: Iterable[Sequence[Sentence]]) -> Methods:
    """Give what sentences cite numbers in the order in which it is cited.

    >>> number([[Sentence("One.", ["n4"]), Sentence("Two.")], []]).paragraphs
    ('One [1]. Two.',)
    """
    order: dict[str, int] = {}
    texts = []
    for sentences in paragraphs:
        for key in (key for sentence in sentences for key in sentence.cites):
            order.setdefault(key, len(order) + 1)
        texts.append(" ".join(_cited(sentence, order) for sentence in sentences))
    return Methods(tuple(filter(None, texts)), tuple(all_references()[key] for key in order))


def _cited(sentence: Sentence, order: Mapping[str, int]) -> str:
    if not sentence.cites:
        return sentence.text
    numbers = ",".join(str(order[key]) for key in sentence.cites)
    return f"{sentence.text.removesuffix('.')} [{numbers}]."


def _software(said: Said, name: str) -> str:
    """Return a package with its version, as a sidecar tells it."""
    version = {**said.get("Software", {}), **said.get("NetworkSoftware", {})}.get(name)
    return f"{name} {version}" if version else name


def _and(words: Iterable[str]) -> str:
    """Join words.

    >>> _and(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = [*words]
    return f"{', '.join(first)} and {last}" if first else last


def _prepared(files: SessionFiles) -> Iterator[Sentence]:
    scans = files.sequences()
    if not scans:
        return
    yield Sentence(f"Data were processed by gliaflow {__version__}, a Snakemake workflow.", ["snakemake"])
    converted = [
        said
        for s in scans
        if "ConversionSoftware" in (said := files.document("anat", f"{s}.json")).get("Acquisition", {})
    ]
    if converted:
        version = converted[0]["Acquisition"].get("ConversionSoftwareVersion", "")
        yield Sentence(
            f"DICOM images were converted by {' '.join(filter(None, ['dcm2niix', version]))}.", ["dcm2niix"]
        )
    yield from _corrected(files)
    yield from _registered(files)
    yield from _brain(files)
    yield from _in_atlas(files)


def _corrected(files: SessionFiles) -> Iterator[Sentence]:
    """Say where N4 was used, and whether what follows sees its result."""
    said = {
        s: files.document("anat", f"desc-n4_{s}.json") for s in files.sequences("desc-n4_{sequence}.nii.gz")
    }
    if not said:
        return
    first = next(iter(said.values()))
    tool = _software(
        first, "antspyx" if first.get("Parameters", {}).get("method") == "antspyx" else "SimpleITK"
    )
    uses = {
        s: files.document("anat", f"space-{files.atlas}_desc-brain_{s}.json").get("Parameters", {}).get("n4")
        for s in said
    }
    applied = [s for s, use in uses.items() if use == "apply"]
    purpose = (
        f"and used for the intensities of {_and(applied)} too"
        if applied
        else "for registration and brain extraction only"
    )
    yield Sentence(
        f"Bias fields of {_and(said)} were estimated by N4 ({tool}), {purpose}.",
        ["n4", "ants" if "antspyx" in tool else "simpleitk"],
    )


def _registered(files: SessionFiles) -> Iterator[Sentence]:
    kinds = {s: files.document("anat", f"from-{s}_to-ref_mode-image_xfm.json") for s in files.sequences()}
    moved = {s: said for s, said in kinds.items() if said.get("Parameters", {}).get("kind", "none") != "none"}
    rest = [s for s in kinds if s not in moved]
    if moved:
        said = next(iter(moved.values()))
        kind = said["Parameters"]["kind"]
        target = f"to {_and(rest)}" if len(rest) == 1 else "to the reference sequence"
        yield Sentence(
            f"The sequences {_and(moved)} were registered {target} ({kind}, mutual information, "
            f"{_software(said, 'antspyx')}).",
            ["ants"],
        )
    to_first = files.document("anat", "from-ref_to-first_mode-image_xfm.json")
    if to_first:
        deformed = files.there("anat", "from-ref_to-first_mode-image_desc-syn_xfm.nii.gz")
        kind, cites = ("rigidly and then by SyN", ["ants", "syn"]) if deformed else ("rigidly", ["ants"])
        yield Sentence(f"The session was registered {kind} to the subject's first one.", cites)


def _brain(files: SessionFiles) -> Iterator[Sentence]:
    said = files.document("anat", "space-ref_desc-brain_mask.json")
    method = said.get("Parameters", {}).get("method")
    if method == "network":
        yield Sentence(
            f"The brain was found by the network {said.get('Model', '')} (nnU-Net, "
            f"{_software(said, 'nnunetv2')}), which looks at each "
            "sequence by itself; its probabilities were averaged over the sequences.",
            ["nnunet"],
        )
    elif method in BRAIN:
        yield Sentence(*BRAIN[method])


def _in_atlas(files: SessionFiles) -> Iterator[Sentence]:
    if not files.atlas:
        return
    kind = (
        files.document("anat", f"from-ref_to-{files.atlas}_mode-image_xfm.json")
        .get("Parameters", {})
        .get("kind")
    )
    known = {"rigid": "rigidly ", "affine": "affinely "}.get(kind or "", "")
    yield Sentence(
        f"Brains were brought {known}to the atlas {files.atlas}, each image interpolated once.",
        ["mni"] if files.atlas == "MNI152" else [],
    )
    scans = files.sequences(f"space-{files.atlas}_desc-norm_{{sequence}}.nii.gz")
    for sequence in list(scans)[:1]:
        said = files.document("anat", f"space-{files.atlas}_desc-norm_{sequence}.json").get("Parameters", {})
        text, cites = NORMALISED.get(said.get("method", ""), (f"by {said.get('method')}", ()))
        yield Sentence(f"Intensities were normalised {text}.", cites)


def _segmented(files: SessionFiles) -> Iterator[Sentence]:
    said = files.document("seg", "space-ref_dseg.json")
    if not said:
        return
    for one in said.get("Models", [said]):
        yield _model(one, said)
    fuse = said.get("Parameters", {}).get("fuse", {}).get("method", "")
    if said.get("Members", 1) > 1 or len(said.get("Models", ())) > 1:
        text, cites = FUSED.get(fuse, (f"the method {fuse}", ()))
        yield Sentence(
            f"The {said.get('Members', '')} members of the ensemble were fused by {text}.".replace("  ", " "),
            cites,
        )
    if said.get("Review"):
        yield Sentence("The label map was edited by a reviewer.")
    limits = said.get("Parameters", {}).get("postprocess", {}).get("threshold", {})
    regions = (
        _and(f"{name} from a probability of {limit:g}" for name, limit in limits.items()) if limits else ""
    )
    yield Sentence(f"Regions are those of the BraTS challenge{': ' if regions else ''}{regions}.", ["brats"])


def _model(one: Said, said: Said) -> Sentence:
    """Describe one source of a segmentation; what is not told of it by itself is told of all."""
    name, settings = one.get("Model", ""), one.get("ModelSettings") or {}
    if "External" in one:
        return Sentence(f"The label map {name} was made elsewhere.")
    if "tta" not in settings:
        return Sentence(f"Lesions were found by the training-free baseline {name}.", ["flair"])
    used = f" on {_and(one['Sequences'])}" if one.get("Sequences") else ""
    missing = f", without {_and(one['MissingSequences'])}" if one.get("MissingSequences") else ""
    checked = f", sha256 {one['ModelSha256'][:12]}" if one.get("ModelSha256") else ""
    ways = ["mirrored"] if settings.get("tta") else []
    ways += ["with dropout"] if settings.get("mc_dropout") else []
    cites = [
        "nnunet",
        *(["tta"] if settings.get("tta") else []),
        *(["dropout"] if settings.get("mc_dropout") else []),
    ]
    how = f" Each network saw the images {_and(ways)}" if ways else ""
    text = f"Tumours were segmented by {name} (nnU-Net{checked}){used}{missing}."
    return Sentence(f"{text}{how}." if how else text, cites)


def _unsure(files: SessionFiles) -> Iterator[Sentence]:
    said = files.document("seg", "space-ref_uncertainty.json")
    if not said:
        return
    quantity = said.get("Parameters", {}).get("map", "entropy")
    yield Sentence(
        f"Uncertainty is {UNSURE.get(quantity, quantity)} over {said.get('Members', 'the')} members, on a "
        f"scale of 0 to 100; intervals of "
        "volumes are those of the members.",
        ["qubrats"],
    )
    heat = files.document("seg", f"space-{files.atlas}_desc-calibrated_probseg.json").get("Temperature")
    if heat:
        told = _and(f"{region} {value:g}" for region, value in heat.items())
        yield Sentence(f"Calibrated probabilities were scaled by temperatures ({told}).", ["temperature"])


def _measured(files: SessionFiles) -> Iterator[Sentence]:
    if files.there("seg", "features.tsv"):
        yield Sentence(
            "Bidimensional diameters were measured on the axial slice where a lesion is largest, as in the "
            "RANO criteria.",
            ["rano"],
        )
        yield Sentence("Shape and texture follow the Image Biomarker Standardisation Initiative.", ["ibsi"])


def _grown(files: SessionFiles) -> Iterator[Sentence]:
    path = files.since_segmentation(files.path("growth", "fit.json"))
    if not path:
        return
    said = files.document("growth", "fit.json")
    model, cites = GROWN.get(said.get("model", ""), (f"the external model {said.get('model')}", ()))
    yield Sentence(f"Growth was foretold by {model}, fitted to the label map.", cites)
    fit = said.get("fit")
    if fit:
        yield Sentence(
            f"Parameters were sought by CMA-ES; {len(said.get('members', ()))} of "
            f"{fit.get('acceptable', 'the')} acceptable fits "
            "give the interval of the time to invasion.",
            ["cmaes"],
        )
