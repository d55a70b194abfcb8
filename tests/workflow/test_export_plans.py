"""Which exports a sheet leads to, and where the workflow stops."""

import pytest
from cohorts import dicom, plan_of, session

ALL = {"t1n": "t1n", "t1c": "t1c", "t2w": "t2w", "t2f": "t2f"}


def scanned(folder, subject="01", **cells):
    """A row whose sequences are DICOM folders but for the cells given."""
    row = session(folder, subject, sequences=())
    for name in ALL:
        row[name] = cells.get(name) or dicom(folder, f"{subject}_{name}")
    return row


def export(folder, rows, *arguments, **settings):
    return plan_of(folder, rows, arguments=("export", *arguments), export=settings)


def exports(jobs):
    return {rule: count for rule, count in jobs.items() if rule.startswith("export_")}


def test_nothing_is_exported_unless_it_is_asked_for(tmp_path):
    planned = plan_of(tmp_path, [scanned(tmp_path)])
    assert planned.status == 0, planned.output
    assert not exports(planned.jobs)


def test_tables_and_scenes_need_no_dicom_and_dicom_seg_is_off(tmp_path):
    planned = export(tmp_path, [session(tmp_path, "01"), session(tmp_path, "02"), scanned(tmp_path, "03")])
    assert planned.status == 0, planned.output
    assert exports(planned.jobs) == {"export_labels": 1, "export_scene": 3}


@pytest.mark.parametrize("word", ["deidentified", "linked"])
def test_sessions_that_were_given_as_dicom_get_a_dicom_seg(tmp_path, word):
    planned = export(tmp_path, [session(tmp_path, "01"), scanned(tmp_path, "02")], dicom_seg=word)
    assert exports(planned.jobs) == {"export_labels": 1, "export_scene": 2, "export_dicom_seg": 1}
    assert "sub-02_ses-1_space-t1c_dseg.dcm" in planned.output


def test_it_lies_on_the_first_series_that_is_dicom_where_the_reference_is_not(tmp_path):
    nifti = session(tmp_path, sequences=("t1n", "t1c"))
    row = scanned(tmp_path, t1n=nifti["t1n"], t1c=nifti["t1c"])
    planned = export(tmp_path, [row], dicom_seg="linked")
    assert exports(planned.jobs)["export_dicom_seg"] == 1
    assert "space-t2w_dseg.dcm" in planned.output


def test_a_study_and_a_zip_are_dicom_too(tmp_path):
    study = session(tmp_path, "01", sequences=(), dicom=dicom(tmp_path, "study"))
    packed = scanned(tmp_path, "02", t1c=dicom(tmp_path, "t1c.ZIP"))
    planned = export(tmp_path, [study, packed], dicom_seg="linked", sequences=["t1c", "t2f"])
    assert exports(planned.jobs)["export_dicom_seg"] == 4


def test_plans_are_exported_where_they_are_asked_for(tmp_path):
    planned = export(tmp_path, [scanned(tmp_path)], dicom_seg="linked", plans=True)
    jobs = planned.jobs
    assert jobs["export_dicom_plan"] > 1
    assert jobs["growth_plans"] == 1


def test_a_plain_run_exports_where_the_config_says_so(tmp_path):
    planned = plan_of(tmp_path, [scanned(tmp_path)], export={"in_all": True})
    assert exports(planned.jobs) == {"export_labels": 1, "export_scene": 1}


def test_off_without_quotes_is_off(tmp_path):
    planned = export(tmp_path, [scanned(tmp_path)], dicom_seg=False)
    assert exports(planned.jobs) == {"export_labels": 1, "export_scene": 1}


def test_a_nifti_has_no_series_to_refer_to(tmp_path):
    target = "results/one/sub-01/ses-1/export/sub-01_ses-1_space-t1c_dseg.dcm"
    planned = plan_of(tmp_path, [session(tmp_path)], arguments=(target,), export={"dicom_seg": "linked"})
    assert planned.status != 0
    assert "one/sub-01/ses-1 t1c: was given as NIfTI; DICOM-SEG needs the DICOM series" in planned.output


def test_a_wrong_word_is_told(tmp_path):
    planned = export(tmp_path, [session(tmp_path)], dicom_seg="anonymous")
    assert planned.status != 0
    assert "export.dicom_seg" in planned.output
    assert "write off, deidentified or linked" in planned.output
