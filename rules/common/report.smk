def picture(name, caption, category):
    """A picture in a session's `qc` that goes into the report, with its caption and labels."""
    return session_picture(qc(f"{name}.png"), caption, category)


def session_picture(path, caption, category):
    """A picture of a session, anywhere, that goes into the report."""
    return report(
        path,
        caption=f"../resources/report/{caption}.rst",
        category=category,
        subcategory="{cohort}",
        labels={"subject": "{subject}", "session": "{session}"},
    )


def labels_if_segmented(wildcards):
    """The label map, where a model takes the session: pictures go through the tumour."""
    return [fill(LABELS_REF, wildcards)] if sources_of(session_of(wildcards)) else []


def shown_sequences(wildcards):
    """What the label map is drawn over: t1c and t2f, or what there is of them."""
    expected = session_of(wildcards).expected
    return [s for s in ("t1c", "t2f") if s in expected] or list(expected[:1])


def over_labels(wildcards):
    return [fill(IN_REF, wildcards, sequence=s) for s in shown_sequences(wildcards)]


SESSION_PAGE = "results/{cohort}/sub-{subject}/ses-{session}/qc/report.html"


def shown_on_page(wildcards):
    """What a session's page is made from: all its other files, and its growth where that is part of everything."""
    entry = session_of(wildcards)
    grown = growth_patterns(entry) if GROWTH["in_all"] else []
    return files_for(step_patterns(entry), entry) + [file_of(pattern, entry) for pattern in grown]


def course_before(wildcards):
    """The features of the subject's earlier sessions, for a session that has features itself."""
    return earlier_features(wildcards) if sources_of(session_of(wildcards)) else []
