"""The columns of a table of features, and what each means."""

from collections.abc import Iterable

from gliaflow.features.change import CHANGE_MEANINGS, RANO_CHANGE_MEANINGS
from gliaflow.features.intensity import HISTOGRAM_MEANINGS, INTENSITY_MEANINGS
from gliaflow.features.lesions import LESION_MEANINGS
from gliaflow.features.location import HEMISPHERE, LOBE, LOCATION_MEANINGS
from gliaflow.features.rano import RANO_MEANINGS
from gliaflow.features.shape import SHAPE_MEANINGS
from gliaflow.features.texture import TEXTURE_MEANINGS
from gliaflow.labels import REGIONS, SEQUENCES, label_table
from gliaflow.tables import NAME_COLUMNS
from gliaflow.uncertainty.numbers import NUMBER_COLUMNS, REGION_NAMES

MEASURED = ("ET", "WT")
"""The regions with bidimensional diameters: enhancing disease, and what T2 and FLAIR show."""
NAMES = {**NAME_COLUMNS, "days": "Days since the subject's first scan; empty where the sheet does not say"}
UNCERTAINTY_COLUMNS = {name: text for name, text in NUMBER_COLUMNS.items() if not name.endswith("_volume_ml")}
GROWTH_COLUMNS = {
    "growth_diffusivity_per_rho_mm2": "Diffusivity in white matter over the proliferation rate in mm^2, of "
    "the fitted growth; empty where growth was not fitted to the session",
    "growth_white_grey_ratio": "Diffusivity in white over that in grey matter, of the fitted growth",
    "growth_rho_times_age": "Proliferation rate times the tumour's age, of the fitted growth",
    "growth_seed_spread_mm": "How far the places of the seed that fit as well lie apart, in mm",
}


def label_column(name: str) -> str:
    """Return the column of a label's volume.

    >>> label_column("necrotic core")
    'necrotic_core_volume_ml'
    """
    return f"{name.replace(' ', '_')}_volume_ml"


def feature_columns(lobes: Iterable[str] = ()) -> dict[str, str]:
    """Return every column of a table of features in its order, with its meaning.

    Parameters
    ----------
    lobes
        Names of the parts of `gliaflow.features.location.AtlasMaps`.

    Examples
    --------
    >>> list(feature_columns())[:6]
    ['cohort', 'subject', 'session', 'days', 'wt_volume_ml', 'tc_volume_ml']
    """
    volumes = {
        f"{region.lower()}_volume_ml": f"Volume of the {REGION_NAMES[region]} in ml" for region in REGIONS
    }
    labels = {label_column(label.name): f"Volume of the label {label.name} in ml" for label in label_table()}
    shares = {f"lobe_{name}_share": f"Share of the {{region}} in {name} (features.lobes)" for name in lobes}
    by_region = LESION_MEANINGS | SHAPE_MEANINGS | LOCATION_MEANINGS | shares | CHANGE_MEANINGS
    measured = RANO_MEANINGS | RANO_CHANGE_MEANINGS
    intensities = INTENSITY_MEANINGS | HISTOGRAM_MEANINGS | TEXTURE_MEANINGS
    return {
        **NAMES,
        **volumes,
        **labels,
        "hemisphere": HEMISPHERE,
        "lobe": LOBE,
        "days_since_previous": "Days since the session before; empty for the first, and without days",
        **{column: text for region in REGIONS for column, text in _of(region, by_region).items()},
        **{column: text for region in MEASURED for column, text in _of(region, measured).items()},
        **UNCERTAINTY_COLUMNS,
        **GROWTH_COLUMNS,
        **{
            f"{region.lower()}_{sequence}_{name}": f"{text}: normalised {sequence}, {REGION_NAMES[region]}"
            for region in REGIONS
            for sequence in SEQUENCES
            for name, text in intensities.items()
        },
    }


def _of(region: str, meanings: dict[str, str]) -> dict[str, str]:
    name = REGION_NAMES[region]
    return {f"{region.lower()}_{column}": text.format(region=name) for column, text in meanings.items()}
