rule predict:
    input:
        predict_outputs,


rule predict_cross_validate:
    input:
        features=task_features,
        participants=participants_table,
    output:
        table=f"{PREDICTED}/out_of_fold.tsv",
        importance=task_result("importance.tsv", "tables"),
        dictionaries=[f"{PREDICTED}/{name}.json" for name in ("out_of_fold", "importance")],
    log:
        "logs/predict_cross_validate/{task}.log",
    benchmark:
        "benchmarks/predict_cross_validate/{task}.tsv"
    wildcard_constraints:
        task=trained_names(by_network=False),
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=240,
    params:
        name="predict {task}",
        task=task_entry,
        settings=predictor_settings(),
    script:
        "../scripts/predict_cross_validate.py"


rule predict_chance:
    input:
        features=task_features,
        participants=participants_table,
    output:
        table=CHANCE_BATCH,
        dictionary=data_dictionary(CHANCE_BATCH),
    log:
        "logs/predict_chance/{task}_{batch}.log",
    benchmark:
        "benchmarks/predict_chance/{task}_{batch}.tsv"
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=480,
    params:
        name="predict {task} permutations {batch}",
        task=task_entry,
        settings=predictor_settings("permutations"),
    script:
        "../scripts/predict_chance.py"


rule predict_score_classes:
    input:
        out_of_fold=f"{PREDICTED}/out_of_fold.tsv",
        chance=chance_batches,
    output:
        tables=task_tables("scores", "chance"),
        dictionaries=[f"{PREDICTED}/{name}.json" for name in ("scores", "chance")],
        pictures=task_pictures(CLASSIFICATION),
    log:
        "logs/predict_score_classes/{task}.log",
    benchmark:
        "benchmarks/predict_score_classes/{task}.tsv"
    wildcard_constraints:
        task=task_names(CLASSIFICATION),
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        name="predict {task}",
        task=task_entry,
        settings=predictor_settings(),
        dpi=config["report"]["dpi"],
    script:
        "../scripts/predict_score.py"


use rule predict_score_classes as predict_score_subtypes with:
    output:
        tables=task_tables("scores", "chance"),
        dictionaries=[f"{PREDICTED}/{name}.json" for name in ("scores", "chance")],
        pictures=task_pictures(SUBTYPE),
    log:
        "logs/predict_score_subtypes/{task}.log",
    benchmark:
        "benchmarks/predict_score_subtypes/{task}.tsv"
    wildcard_constraints:
        task=task_names(SUBTYPE),


use rule predict_score_classes as predict_score_survival with:
    output:
        tables=task_tables("scores", "chance", "groups"),
        dictionaries=[f"{PREDICTED}/{name}.json" for name in ("scores", "chance", "groups")],
        pictures=task_pictures(SURVIVAL),
    log:
        "logs/predict_score_survival/{task}.log",
    benchmark:
        "benchmarks/predict_score_survival/{task}.tsv"
    wildcard_constraints:
        task=task_names(SURVIVAL),


rule predict_train:
    input:
        features=task_features,
        participants=participants_table,
        scores=f"{PREDICTED}/scores.tsv",
    output:
        package=PREDICTOR,
        card=f"{PREDICTED}/card.md",
    log:
        "logs/predict_train/{task}.log",
    benchmark:
        "benchmarks/predict_train/{task}.tsv"
    wildcard_constraints:
        task=trained_names(by_network=False),
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        name="predict {task}",
        task=task_entry,
        settings=predictor_settings("permutations"),
    script:
        "../scripts/predict_train.py"


rule predict_apply:
    input:
        features=cohort_features,
        participants=participants_table,
        packages=task_packages,
        out_of_fold=tasks_out_of_fold,
        networks=network_predictions,
    output:
        table=cohort_result(PREDICTIONS, "predictions", "Prediction"),
        dictionary=data_dictionary(PREDICTIONS),
    log:
        "logs/predict_apply/{cohort}.log",
    benchmark:
        "benchmarks/predict_apply/{cohort}.tsv"
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        name="{cohort} predictions",
        tasks=list(feature_tasks().values()),
    script:
        "../scripts/predict_apply.py"
