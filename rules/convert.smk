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
    resources:
        mem_mb=memory(1000),
        runtime=15,
    params:
        name=job_name,
        study=lambda wildcards: str(session_of(wildcards).study),
        expect=study_expects,
        pins=study_pins,
        settings={key: config["convert"][key] for key in ("rules", "exclude", "min_slices")},
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
    resources:
        mem_mb=memory(1500, 15),
        runtime=15,
    params:
        name=job_name,
        scan=lambda wildcards: str(scan_of(wildcards)),
        cell=cell_of,
        settings={key: config["convert"][key] for key in ("max_slice_gap", "min_slices")},
    script:
        "../scripts/convert.py"
