"""Sessions as the sheets give them."""

from gliaflow.config.session import Session


def make_session(**changes: object) -> Session:
    """A session with t1c and nothing else, but for what is given."""
    fields: dict = {
        **{"cohort": "one", "subject": "01", "session": "1", "days": None, "sources": {}},
        **{"expected": ("t1c",), "study": None, "dwi": None, "brain_mask": None, "label": None},
        **{"raters": None, "stripped": False, "registered": "none", "sheet": "samples.tsv", "row": 2},
    }
    return Session(**fields | changes)
