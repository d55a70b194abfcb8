rule train_take:
    input:
        files=take_files,
        atlas=take_atlas,
    output:
        directory(TAKEN),
    log:
        training_log("train_take"),
    benchmark:
        training_benchmark("train_take")
    conda:
        "../envs/imaging.yaml"
    threads: TRAIN["threads"]
    resources:
        mem_mb=memory_by_threads(2000),
        runtime=240,
    params:
        name="train_take",
        target=TRAIN["target"],
        tasks=take_tasks,
        spacing_mm=TRAIN["spacing_mm"] if TRAIN["target"] == "brain" else None,
    script:
        "../scripts/train_take.py"


rule train_dataset:
    input:
        training_files,
    output:
        raw=directory(RAW),
        sessions=f"{TRAINING}/sessions.tsv",
        dictionary=f"{TRAINING}/sessions.json",
    log:
        training_log("train_dataset"),
    benchmark:
        training_benchmark("train_dataset")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        name="train_dataset",
        cases=lambda wildcards: training_cases(),
        recipe=recipe("sequences", "regions"),
    script:
        "../scripts/train_dataset.py"


rule train_plan:
    input:
        RAW,
    output:
        PLAN_FILES,
    log:
        training_log("train_plan"),
    benchmark:
        training_benchmark("train_plan")
    conda:
        "../envs/network.yaml"
    threads: TRAIN["threads"]
    resources:
        mem_mb=memory_by_threads(2000),
        runtime=240,
    params:
        name="train_plan",
        recipe=recipe(*PLANNING),
        seed=config["seed"],
    script:
        "../scripts/train_plan.py"


rule train_preprocess:
    input:
        raw=RAW,
        plans=PLAN_FILES,
    output:
        directory(PREPROCESSED),
    log:
        training_log("train_preprocess"),
    benchmark:
        training_benchmark("train_preprocess")
    conda:
        "../envs/network.yaml"
    threads: TRAIN["threads"]
    resources:
        mem_mb=memory_by_threads(2000),
        runtime=720,
    params:
        name="train_preprocess",
    script:
        "../scripts/train_preprocess.py"
