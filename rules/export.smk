rule export:
    input:
        export_outputs,


rule export_labels:
    output:
        **{name: cohort_result(path, "labels", "Exports") for name, path in LABEL_FILES.items()},
    log:
        "logs/export_labels/{cohort}.log",
    benchmark:
        "benchmarks/export_labels/{cohort}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(500),
        runtime=10,
    params:
        name="{cohort}",
    script:
        "../scripts/export_labels.py"


rule export_scene:
    input:
        images=scene_images,
        labels=LABELS_REF,
        colours=LABEL_FILES["slicer"],
    output:
        SCENE,
    log:
        log_path("export_scene"),
    benchmark:
        benchmark_path("export_scene")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(500),
        runtime=10,
    params:
        name=job_name,
        sequences=scene_sequences,
    script:
        "../scripts/export_scene.py"


rule export_dicom_seg:
    input:
        unpack(series_inputs),
        image=LABELS_REF,
        said=sidecar(LABELS_REF),
    output:
        image=DICOM_SEG,
        sidecar=exported("dseg.json", space="{sequence}"),
    log:
        log_path("export_dicom_seg", "{sequence}"),
    benchmark:
        benchmark_path("export_dicom_seg", "{sequence}")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=15,
    params:
        name=job_name,
        scan=lambda wildcards: str(scan_of(wildcards)),
        cell=cell_of,
        settings=series_settings(),
        identifiers=EXPORT["dicom_seg"],
    script:
        "../scripts/export_dicom_seg.py"


rule export_dicom_plan:
    input:
        unpack(series_inputs),
        image=PLAN,
    output:
        image=DICOM_PLAN,
        sidecar=exported("mask.json", space="{sequence}", desc="{plan}"),
    log:
        log_path("export_dicom_plan", "{sequence}", "{plan}"),
    benchmark:
        benchmark_path("export_dicom_plan", "{sequence}", "{plan}")
    wildcard_constraints:
        plan="|".join(PLANS),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=15,
    params:
        name=job_name,
        scan=lambda wildcards: str(scan_of(wildcards)),
        cell=cell_of,
        settings=series_settings(),
        identifiers=EXPORT["dicom_seg"],
    script:
        "../scripts/export_dicom_seg.py"
