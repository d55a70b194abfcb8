def scan_of(wildcards):
    """Path of a sequence's scan: its own cell, or the session's study."""
    entry = session_of(wildcards)
    if wildcards.sequence not in entry.expected:
        name = "/".join(entry.key)
        raise WorkflowError(f"{name} has no {wildcards.sequence} ({entry.sheet}, row {entry.row})")
    source = entry.sources.get(wildcards.sequence)
    return source if isinstance(source, Path) else entry.study


def made_or_given(path):
    """A file of the sheet; for the demonstration the folder of its session, which `simulate` makes."""
    if made_here(path):
        return str(DEMO.joinpath(*path.relative_to(DEMO).parts[:2]))
    return str(path)


def study_input(wildcards):
    return made_or_given(session_of(wildcards).study)


def convert_inputs(wildcards):
    """The scan, and the study's selection where it comes from a study."""
    scan = scan_of(wildcards)
    inputs = {"scan": made_or_given(scan)}
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


def cell_name(entry, column):
    """A cell of a sheet, for sidecars: never the path in it."""
    name = "/".join(entry.key)
    return f"{Path(entry.sheet).name}, {name}, column {column}"


def cell_of(wildcards):
    """The cell that a scan comes from."""
    entry = session_of(wildcards)
    column = "dicom" if scan_of(wildcards) == entry.study else wildcards.sequence
    return cell_name(entry, column)
