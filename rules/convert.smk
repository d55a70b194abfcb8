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


SELECTION = anat("series.json", desc="selected")


rule sort_study:
    input:
        study_input,
    output:
        selection=SELECTION,
        table=anat("series.tsv", desc="found"),
    log:
        log_path("sort_study"),
    benchmark:
        benchmark_path("sort_study")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        study=lambda wildcards: str(session_of(wildcards).study),
        expect=study_expects,
        pins=study_pins,
        settings=config["convert"],
    resources:
        mem_mb=memory(1000),
        runtime=15,
    script:
        "../scripts/sort_study.py"


rule convert:
    input:
        unpack(convert_inputs),
    output:
        image=anat("{sequence}.nii.gz"),
        sidecar=anat("{sequence}.json"),
    log:
        log_path("convert", "{sequence}"),
    benchmark:
        benchmark_path("convert", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        scan=lambda wildcards: str(scan_of(wildcards)),
        cell=cell_of,
        settings={key: config["convert"][key] for key in ("max_slice_gap", "min_slices")},
    resources:
        mem_mb=memory(1500),
        runtime=15,
    script:
        "../scripts/convert.py"
