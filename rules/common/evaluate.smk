SCORES = [seg(f"{name}.tsv") for name in ("evaluation", "lesions", "detection", "curves", "calibration")]
COHORT_SCORES = [
    f"results/{{cohort}}/{name}.tsv"
    for name in (
        "evaluation",
        "evaluation_summary",
        "evaluation_detection",
        "evaluation_calibration",
        "evaluation_reliability",
        "evaluation_review",
    )
]
COHORT_PICTURES = ("dice", "sites", "volume", "uncertainty", "calibration")


def data_dictionary(table):
    """Path of a table's data dictionary."""
    return table.removesuffix(".tsv") + ".json"


def cohort_picture(name):
    """A picture of a cohort's evaluation that goes into the report, with its caption."""
    return cohort_result(f"results/{{cohort}}/evaluation_{name}.png", f"evaluation_{name}", "Evaluation")


def is_evaluated(entry):
    """Whether a session has both a reference and a segmentation."""
    return bool(entry.label and sources_of(entry))


def of_evaluated(pattern):
    """Input function: the pattern's file for every session of the cohort that is evaluated."""
    return of_cohort(pattern, lambda: filter(is_evaluated, kept_sessions()))


@cache
def known_sites():
    return {(person.cohort, person.subject): person.site for person in PARTICIPANTS if person.site}


def site_of(wildcards):
    """The site of a job's subject, None where the table of patients' data says none."""
    return known_sites().get((wildcards.cohort, wildcards.subject))
