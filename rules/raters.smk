rule raters_atlas:
    input:
        raters=given_raters,
        mask=BRAIN_ATLAS,
        to_atlas=TO_ATLAS,
        grid=of_reference(NATIVE),
    output:
        levels=AGREEMENT,
        sidecar=sidecar(AGREEMENT),
    log:
        log_path("raters_atlas", "{region}{weights}"),
    benchmark:
        benchmark_path("raters_atlas", "{region}{weights}")
    wildcard_constraints:
        region=RATER_REGION,
        weights="(staple|simple)?",
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 40),
        runtime=10,
    params:
        name=job_name,
        space=ATLAS,
        values=label_values,
        weights=weights_word,
        cell=lambda wildcards: cell_name(session_of(wildcards), "raters"),
    script:
        "../scripts/raters_atlas.py"


rule raters_decode:
    input:
        members=counting_members,
        mask=BRAIN_ATLAS,
    output:
        level=AGREEMENT_LEVEL,
        expected=AGREEMENT_SHARE,
        sidecars=[sidecar(AGREEMENT_LEVEL), sidecar(AGREEMENT_SHARE)],
    log:
        log_path("raters_decode"),
    benchmark:
        benchmark_path("raters_decode")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=20,
    params:
        name=job_name,
        space=ATLAS,
        facts=counting_facts,
        within=within_counting,
    script:
        "../scripts/raters_decode.py"


rule raters_score:
    input:
        reference=counted_reference,
        level=AGREEMENT_LEVEL,
        expected=AGREEMENT_SHARE,
    output:
        table=QUBIQ,
        dictionary=seg("qubiq.json"),
    log:
        log_path("raters_score"),
    benchmark:
        benchmark_path("raters_score")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
    script:
        "../scripts/raters_score.py"
