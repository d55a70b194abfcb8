def scan_of(wildcards):
    """Path of a sequence's scan: its own cell, or the session's study."""
    entry = session_of(wildcards)
    source = entry.sources.get(wildcards.sequence)
    return source if isinstance(source, Path) else entry.study


def made_or_given(path, wildcards):
    """A scan of the sheet; for the demonstration the folder that the rule `simulate` makes."""
    if made_here(path):
        return f"{DEMO}/sub-{wildcards.subject}/ses-{wildcards.session}"
    return str(path)


def study_input(wildcards):
    return made_or_given(session_of(wildcards).study, wildcards)


def convert_inputs(wildcards):
    """The scan, and the study's selection where it comes from a study."""
    scan = scan_of(wildcards)
    inputs = {"scan": made_or_given(scan, wildcards)}
    if scan == session_of(wildcards).study:
        inputs["selection"] = fill(SELECTION, wildcards)
    return inputs


def study_pins(wildcards):
    """The series numbers that the sheet names."""
    sources = session_of(wildcards).sources
    return {name: number for name, number in sources.items() if isinstance(number, int)}


def study_expects(wildcards):
    """The sequences that the study has to hold: those without a scan of their own."""
    entry = session_of(wildcards)
    return [s for s in entry.expected if not isinstance(entry.sources.get(s), Path)]


def cell_of(wildcards):
    """What a sidecar says of a source: its cell in the sheet, never its path."""
    entry = session_of(wildcards)
    column = "dicom" if scan_of(wildcards) == entry.study else wildcards.sequence
    return f"{Path(entry.sheet).name}, {'/'.join(entry.key)}, column {column}"
