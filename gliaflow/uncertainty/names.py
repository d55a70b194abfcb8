"""The maps of uncertainty that are written; without any heavy import, for the start of every job."""

from collections.abc import Mapping

LARGEST: Mapping[str, float] = {
    "variance": 0.25,
    "entropy": 1.0,
    "expected_entropy": 1.0,
    "mutual_information": 1.0,
    "agreement": 1.0,
}
"""What 255 stands for in each map; the first value is 0."""
