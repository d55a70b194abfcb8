from gliaflow.config.reviews import review_facts

AUTO_ATLAS = seg("dseg.nii.gz", space=ATLAS, desc="auto")
AUTO_REF = seg("dseg.nii.gz", space="ref", desc="auto")
EDITS = {key: review.edit for key, review in REVIEWS.items() if review.edit}


for key in EDITS:
    if not sources_of(SESSIONS[key]):
        raise WorkflowError(
            f"{EDITS[key].sheet}, row {EDITS[key].row}: no model segments {'/'.join(key)}, so that there is no label map to "
            "replace; give yours in the column label of the sample sheet"
        )


def is_kept(entry):
    """Whether a session takes part in what is made of its cohort: nobody rejected it."""
    return not (entry.key in REVIEWS and REVIEWS[entry.key].rejected)


def kept_sessions():
    """The sessions that nobody rejected."""
    return filter(is_kept, SESSIONS.values())


def cohort_of_sessions(keys, others):
    """Constraint of the first wildcard of a session's paths: it is one of those, or with `others` none of them."""
    folders = "|".join(f"{cohort}/sub-{subject}/ses-{session}/" for cohort, subject, session in keys)
    if not folders:
        return "[A-Za-z0-9]+" if others else "no_edit"
    return f"(?{'!' if others else '='}{folders})[A-Za-z0-9]+"


def edited_file(wildcards):
    """The label map that a reviewer edited."""
    return str(EDITS[session_of(wildcards).key].label)


def edited_cell(wildcards):
    """What sidecars and errors call that label map: its cell, never its path."""
    return edit_name(session_of(wildcards).key)


def edit_name(key):
    return f"{Path(EDITS[key].sheet).name}, {'/'.join(key)}, column label"


def decided(wildcards):
    """What reviewers decided on a session, in words."""
    entry = session_of(wildcards)
    return REVIEWS[entry.key].lines if entry.key in REVIEWS else []


def edit_facts(wildcards):
    """What the sidecars of an edited label map say of the decision."""
    return dict(review_facts(EDITS[session_of(wildcards).key]))
