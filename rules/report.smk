rule status:
    input:
        [],


rule qc_registration:
    input:
        images=of_sequences(IN_REF),
        mask=BRAIN_REF,
        labels=labels_if_segmented,
        atlas=ATLAS_BRAIN,
        in_atlas=of_reference(IN_ATLAS),
    output:
        picture("registration", "registration", "Registration"),
    log:
        log_path("qc_registration"),
    benchmark:
        benchmark_path("qc_registration")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=10,
    params:
        name=job_name,
        sequences=lambda wildcards: session_of(wildcards).expected,
        reference=reference,
        atlas=ATLAS,
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_registration.py"


rule qc_brain_mask:
    input:
        images=of_sequences(NATIVE),
        masks=of_sequences(anat("mask.nii.gz", space="{sequence}", desc="brain")),
        transforms=of_sequences(TO_REF),
        mask=BRAIN_REF,
        labels=labels_if_segmented,
    output:
        picture("brainmask", "brain_mask", "Brain mask"),
    log:
        log_path("qc_brain_mask"),
    benchmark:
        benchmark_path("qc_brain_mask")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 35),
        runtime=10,
    params:
        name=job_name,
        sequences=lambda wildcards: session_of(wildcards).expected,
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_brain_mask.py"


rule qc_segmentation:
    input:
        images=over_labels,
        mask=BRAIN_REF,
        labels=LABELS_REF,
    output:
        picture("segmentation", "segmentation", "Segmentation"),
    log:
        log_path("qc_segmentation"),
    benchmark:
        benchmark_path("qc_segmentation")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 25),
        runtime=10,
    params:
        name=job_name,
        sequences=shown_sequences,
        regions=model_regions,
        facts=model_facts,
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_segmentation.py"


rule report_session:
    input:
        files=shown_on_page,
        earlier=course_before,
    output:
        SESSION_PAGE,
    log:
        log_path("report_session"),
    benchmark:
        benchmark_path("report_session")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(4000, 30),
        runtime=10,
    params:
        name=job_name,
        rano=feature_settings("neighbours", "smallest_lesion_ml", "measurable_mm"),
        dpi=config["report"]["dpi"],
        decisions=decided,
    script:
        "../scripts/report_session.py"
