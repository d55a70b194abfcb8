import sys

from snakemake.io import strip_wildcard_constraints

from gliaflow.status import PARTLY_FAILED, cohort_status, exit_status, summary, write_status

STATUS = "results/{cohort}/status.tsv"


def stages_of_rules():
    """The stage of each rule, in the order of the workflow."""
    return {rule.name: Path(rule.snakefile).stem.split("_")[0] for rule in workflow.rules}


def stages_of_patterns():
    """The stage that makes the files of each path pattern."""
    stages = stages_of_rules()
    files = [(rule.name, strip_wildcard_constraints(path)) for rule in workflow.rules for path in rule.output]
    return {path: stages[name] for name, path in files}


def wanted_by_stage():
    """The files of every finished session and cohort, by stage."""
    stages, wanted = stages_of_patterns(), {}
    for entry in SESSIONS.values():
        own = wanted.setdefault((entry.cohort, entry.subject, entry.session), {})
        for pattern, sequences in session_patterns(entry):
            files = [file_of(pattern, entry, **names) for names in sequences]
            own.setdefault(stages[pattern], []).extend(files)
    for pattern, cohort in cohort_patterns():
        own = wanted.setdefault((cohort, "", ""), {})
        own.setdefault(stages[pattern], []).append(pattern.format(cohort=cohort))
    return wanted


def rejected_sessions():
    """What is said of every session that a reviewer rejected."""
    return {key: review.latest.told for key, review in REVIEWS.items() if review.rejected}


def locked_since():
    """When the run in progress began, if one is; the lock is its own in a run."""
    locks = [path.stat().st_mtime for path in Path(".snakemake/locks").glob("*")]
    return min(locks, default=None)


def tell_status(since=None):
    """Write the status and the page of every cohort, print how it stands, and return the rows."""
    stages = stages_of_rules()
    rows = cohort_status(wanted_by_stage(), stages, root=Path("."), since=since, rejected=rejected_sessions())
    for cohort in sorted({row["cohort"] for row in rows}):
        own = [row for row in rows if row["cohort"] == cohort]
        write_status(Path(STATUS.format(cohort=cohort)), own)
    print(summary(rows, list(stages.values())), file=sys.stderr)
    write_pages(rows, list(stages.values()))
    return rows


def write_pages(rows, order):
    """Write the page of every cohort, and of its failed sessions."""
    # imported here because it takes long, and every job of a cluster reads this file
    from gliaflow.report.cohort_page import write_cohort_page
    from gliaflow.report.failed_pages import write_failed_pages

    write_failed_pages(rows, {key: session_outputs(entry) for key, entry in SESSIONS.items()})
    for cohort in sorted({row["cohort"] for row in rows}):
        write_cohort_page(cohort, rows, REVIEWS, stages=order)


def tell_end():
    """Tell the status at the end of a run; `snakemake status` does nothing else, and another run may be in progress."""
    alone = {job.rule.name for job in workflow.dag.jobs} == {"status"}
    return tell_status(locked_since() if alone else None)


def end_in_part(rows):
    """End a run that failed: with status 3 where some sessions are finished, else as Snakemake does."""
    if exit_status(rows) == PARTLY_FAILED:
        workflow.logger_manager.logfile_hint()
        sys.exit(PARTLY_FAILED)
