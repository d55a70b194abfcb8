"""The sessions that the default model is unsure of are the ones that it segments worse."""

from pathlib import Path

import pytest

from gliaflow.evaluate.held_out_trust import Trust
from gliaflow.evaluate.held_out_tumour import model_chain, read_cases
from gliaflow.simulate.labelled import CohortPlan, write_cohort

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[2] / "resources" / "models" / "gliaflowtumour.zip"
PLAN = CohortPlan(subjects=12, severity=0.7, non_enhancing=0.35, cohort="review", seed=31)


def test_unsure_sessions_are_the_worse_ones(tmp_path: Path) -> None:
    sheet = write_cohort(tmp_path / "cohort", PLAN, jobs=2)
    chain, trust = model_chain(PACKAGE, threads=2), Trust()
    for case in read_cases(sheet, PLAN):
        trust.add(case, chain.find(case.images, case.mask), chain.regions, PLAN.seed)
    found = trust.correlation()
    assert found.estimate < -0.5
    assert found.high < 0, f"rank correlation {found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"
