rule features_atlas:
    input:
        grid=ATLAS_BRAIN,
        mask=ATLAS_MASK,
        ventricles=given_ventricles(),
    output:
        tissue=ATLAS_TISSUE,
        ventricles=ATLAS_VENTRICLES,
        sidecars=[sidecar(path) for path in (*ATLAS_TISSUE, *ATLAS_VENTRICLES)],
    log:
        "logs/features_atlas/atlas.log",
    benchmark:
        "benchmarks/features_atlas/atlas.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        space=ATLAS,
        files=tissue_sources,
    script:
        "../scripts/features_atlas.py"


rule features:
    input:
        labels=[LABELS_REF, LABELS_ATLAS],
        images=of_sequences(NORMALISED),
        brain=ATLAS_MASK,
        tissue=ATLAS_TISSUE,
        ventricles=ATLAS_VENTRICLES,
        lobes=lobe_files(),
        uncertainty=seg("uncertainty.tsv"),
        growth=fitted_growth,
        earlier=earlier_features,
    output:
        table=FEATURES,
        dictionary=data_dictionary(FEATURES),
    log:
        log_path("features"),
    benchmark:
        benchmark_path("features")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(3000, 15),
        runtime=20,
    params:
        name=job_name,
        days=lambda wildcards: session_of(wildcards).days,
        sequences=lambda wildcards: session_of(wildcards).expected,
        regions=model_regions,
        settings=feature_settings("neighbours", "smallest_lesion_ml", "measurable_mm", "bins"),
    script:
        "../scripts/features.py"


rule features_cohort:
    input:
        of_segmented(FEATURES),
    output:
        table=cohort_result(COHORT_FEATURES, "features", "Features"),
        dictionary=data_dictionary(COHORT_FEATURES),
    log:
        "logs/features_cohort/{cohort}.log",
    benchmark:
        "benchmarks/features_cohort/{cohort}.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(500),
        runtime=10,
    params:
        name="{cohort}",
    script:
        "../scripts/features_cohort.py"


rule qc_rano:
    input:
        images=over_labels,
        mask=BRAIN_REF,
        labels=LABELS_REF,
    output:
        picture("rano", "rano", "Diameters"),
    log:
        log_path("qc_rano"),
    benchmark:
        benchmark_path("qc_rano")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000, 35),
        runtime=10,
    params:
        name=job_name,
        sequences=shown_sequences,
        regions=model_regions,
        facts=model_facts,
        settings=feature_settings("neighbours", "smallest_lesion_ml", "measurable_mm"),
        dpi=config["report"]["dpi"],
    script:
        "../scripts/qc_rano.py"
