rule marker_graph:
    input:
        brain=ATLAS_MASK,
        regions=network_file("regions"),
        connections=network_file("connections"),
    output:
        graph=ATLAS_GRAPH_FILE,
        regions=ATLAS_REGIONS,
        sidecar=sidecar(ATLAS_REGIONS),
    log:
        "logs/marker_graph/atlas.log",
    benchmark:
        "benchmarks/marker_graph/atlas.tsv"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        space=ATLAS,
    script:
        "../scripts/marker_graph.py"


rule marker_data:
    input:
        images=of_sequences(NORMALISED),
        labels=LABELS_ATLAS,
        brain=BRAIN_ATLAS,
        graph=seen_graph,
        pathology=seen_pathology,
    output:
        temp(SEEN),
    log:
        log_path("marker_data"),
    benchmark:
        benchmark_path("marker_data")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        name=job_name,
        sequences=lambda wildcards: session_of(wildcards).expected,
        settings=network_settings("voxels", "spacing_mm"),
    script:
        "../scripts/marker_data.py"


rule marker_fit:
    input:
        images=seen_images,
        participants=participants_table,
        weights=frozen_file,
    output:
        temp(CHECKPOINT),
    log:
        "logs/marker_fit/{task}_{split}.log",
    benchmark:
        "benchmarks/marker_fit/{task}_{split}.tsv"
    wildcard_constraints:
        split="[A-Za-z0-9]+",
    conda:
        "../envs/marker.yaml"
    threads: HOW_NETWORKS_LEARN["threads"]
    resources:
        mem_mb=memory(8000),
        runtime=HOW_NETWORKS_LEARN["runtime_minutes"],
        gpu=1,
    params:
        name="marker_fit {task} {split}",
        sessions=seen_sessions,
        task=task_entry,
        settings=predictor_settings(),
        networks=network_settings(),
    script:
        "../scripts/marker_fit.py"


rule marker_cross_validate:
    input:
        images=seen_images,
        participants=participants_table,
        checkpoints=split_checkpoints,
    output:
        table=f"{PREDICTED}/out_of_fold.tsv",
        dictionary=f"{PREDICTED}/out_of_fold.json",
    log:
        "logs/marker_cross_validate/{task}.log",
    benchmark:
        "benchmarks/marker_cross_validate/{task}.tsv"
    wildcard_constraints:
        task=trained_names(by_network=True),
    conda:
        "../envs/marker.yaml"
    resources:
        mem_mb=memory(8000),
        runtime=120,
    params:
        name="marker_cross_validate {task}",
        sessions=seen_sessions,
        splits=seen_splits,
        task=task_entry,
        settings=predictor_settings(),
        networks=network_settings(),
    script:
        "../scripts/marker_cross_validate.py"


rule marker_chance:
    input:
        f"{PREDICTED}/out_of_fold.tsv",
    output:
        table=temp(PERMUTED),
        dictionary=temp(data_dictionary(PERMUTED)),
    log:
        "logs/marker_chance/{task}.log",
    benchmark:
        "benchmarks/marker_chance/{task}.tsv"
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        name="marker_chance {task}",
        permutations=PREDICT["permutations"],
        seed=config["seed"],
    script:
        "../scripts/marker_chance.py"


rule marker_package:
    input:
        images=seen_images,
        participants=participants_table,
        checkpoint=CHECKPOINT.replace("{split}", WHOLE),
        scores=f"{PREDICTED}/scores.tsv",
    output:
        package=PREDICTOR,
        card=f"{PREDICTED}/card.md",
    log:
        "logs/marker_package/{task}.log",
    benchmark:
        "benchmarks/marker_package/{task}.tsv"
    wildcard_constraints:
        task=trained_names(by_network=True),
    conda:
        "../envs/marker.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=30,
    params:
        name="marker_package {task}",
        sessions=seen_sessions,
        task=task_entry,
        settings=predictor_settings("permutations"),
        networks=network_settings(),
    script:
        "../scripts/marker_package.py"


rule marker_apply:
    input:
        images=seen_images,
        participants=participants_table,
        package=network_package,
        out_of_fold=network_out_of_fold,
    output:
        table=temp(APPLIED),
        dictionary=temp(data_dictionary(APPLIED)),
    log:
        "logs/marker_apply/{cohort}_{task}.log",
    benchmark:
        "benchmarks/marker_apply/{cohort}_{task}.tsv"
    conda:
        "../envs/marker.yaml"
    resources:
        mem_mb=memory(8000),
        runtime=120,
    params:
        name="{cohort} marker_apply {task}",
        sessions=seen_sessions,
        task=task_entry,
    script:
        "../scripts/marker_apply.py"
