def picture(name, caption, category):
    """A picture that goes into the report, with its caption and labels."""
    return report(
        qc(f"{name}.png"),
        caption=f"../resources/report/{caption}.rst",
        category=category,
        subcategory="{cohort}",
        labels={"subject": "{subject}", "session": "{session}"},
    )


def labels_if_segmented(wildcards):
    """The label map, where a model takes the session: pictures go through the tumour."""
    return [fill(LABELS_REF, wildcards)] if model_of(session_of(wildcards)) else []


def shown_sequences(wildcards):
    """What the label map is drawn over: t1c and t2f, or what there is of them."""
    expected = session_of(wildcards).expected
    return [s for s in ("t1c", "t2f") if s in expected] or list(expected[:1])


def over_labels(wildcards):
    return [fill(IN_REF, wildcards, sequence=s) for s in shown_sequences(wildcards)]


rule dataset_description:
    output:
        "results/{cohort}/dataset_description.json",
    log:
        "logs/dataset_description/{cohort}.log",
    conda:
        "../envs/imaging.yaml"
    params:
        name="{cohort}",
    localrule: True
    script:
        "../scripts/dataset_description.py"


rule qc_registration:
    input:
        images=of_sequences(IN_REF),
        mask=BRAIN_REF,
        labels=labels_if_segmented,
        atlas=rules.atlas.output.brain,
        in_atlas=of_reference(IN_ATLAS),
    output:
        picture("registration", "registration", "Registration"),
    log:
        log_path("qc_registration"),
    benchmark:
        benchmark_path("qc_registration")
    conda:
        "../envs/imaging.yaml"
    params:
        name=job_name,
        sequences=lambda wildcards: session_of(wildcards).expected,
        reference=reference,
        atlas=ATLAS,
        dpi=config["report"]["dpi"],
    resources:
        mem_mb=memory(2000),
        runtime=10,
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
    params:
        name=job_name,
        sequences=lambda wildcards: session_of(wildcards).expected,
        dpi=config["report"]["dpi"],
    resources:
        mem_mb=memory(2000),
        runtime=10,
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
    params:
        name=job_name,
        sequences=shown_sequences,
        regions=model_regions,
        facts=model_facts,
        dpi=config["report"]["dpi"],
    resources:
        mem_mb=memory(2000),
        runtime=10,
    script:
        "../scripts/qc_segmentation.py"
