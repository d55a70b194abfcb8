rule train:
    input:
        PACKAGE,


rule train_fold:
    input:
        cases=PREPROCESSED,
        plans=PLAN_FILES,
        raw=RAW,
        start=start_package,
    output:
        checkpoint=f"{FOLD}/checkpoint_final.pth",
        progress=report(
            f"{FOLD}/progress.png",
            caption="../resources/report/progress.rst",
            category="Progress of training",
            labels={"fold": "{fold}", "loss": "{loss}"},
        ),
    log:
        training_log("train_fold", "{loss}", "fold-{fold}"),
    benchmark:
        training_benchmark("train_fold", "{loss}", "fold-{fold}")
    conda:
        "../envs/network.yaml"
    threads: TRAIN["threads"]
    resources:
        mem_mb=memory_by_threads(6000),
        runtime=TRAIN["runtime_minutes"],
        gpu=1,
    params:
        name="train_fold {loss} fold {fold}",
        work=f"{TRAINING}/work/{{loss}}/fold_{{fold}}",
        recipe=recipe(*LEARNING),
        seed=config["seed"],
    script:
        "../scripts/train_fold.py"


rule train_validate:
    input:
        checkpoint=f"{FOLD}/checkpoint_final.pth",
        plans=PLAN_FILES,
        files=fold_files,
    output:
        probabilities=directory(OUT_OF_FOLD),
        scores=f"{FOLD}/scores.tsv",
        dictionary=f"{FOLD}/scores.json",
    log:
        training_log("train_validate", "{loss}", "fold-{fold}"),
    benchmark:
        training_benchmark("train_validate", "{loss}", "fold-{fold}")
    conda:
        "../envs/network.yaml"
    threads: config["segment"]["threads"]
    resources:
        mem_mb=memory(6000),
        runtime=720,
        gpu=1,
    params:
        name="train_validate {loss} fold {fold}",
        cases=fold_cases,
        recipe=recipe("sequences", "regions"),
        leave_out=list(optional_sequences(TRAIN)),
        settings=inference_settings() | {"method": config["fuse"]["method"]},
    script:
        "../scripts/train_validate.py"


rule train_select:
    input:
        scores=of_folds(f"{FOLD}/scores.tsv"),
    output:
        selection=f"{TRAINING}/selection.json",
        table=report(
            f"{TRAINING}/cross_validation.tsv",
            caption="../resources/report/cross_validation.rst",
            category="Training",
            labels={"result": "cross_validation.tsv"},
        ),
        missing=f"{TRAINING}/missing_sequences.tsv",
        dictionaries=[f"{TRAINING}/{name}.json" for name in ("cross_validation", "missing_sequences")],
    log:
        training_log("train_select"),
    benchmark:
        training_benchmark("train_select")
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=10,
    params:
        name="train_select",
    script:
        "../scripts/train_select.py"


rule train_tune:
    input:
        selection=f"{TRAINING}/selection.json",
        probabilities=of_folds(OUT_OF_FOLD),
        labels=trained_labels,
    output:
        f"{TRAINING}/postprocess.json",
    log:
        training_log("train_tune"),
    benchmark:
        training_benchmark("train_tune")
    conda:
        "../envs/network.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=120,
    params:
        name="train_tune",
        cases=lambda wildcards: trained_cases(),
        out_of_fold=lambda wildcards: OUT_OF_FOLD,
        regions=TRAIN["regions"],
        rule=TRAIN["tuning_rule"],
        trials=TRAIN["tuning_trials"],
        seed=config["seed"],
    script:
        "../scripts/train_tune.py"


rule train_export:
    input:
        checkpoints=of_folds(f"{FOLD}/checkpoint_final.pth"),
        plans=PLAN_FILES,
        selection=f"{TRAINING}/selection.json",
        postprocess=f"{TRAINING}/postprocess.json",
        table=f"{TRAINING}/cross_validation.tsv",
        missing=f"{TRAINING}/missing_sequences.tsv",
        sessions=f"{TRAINING}/sessions.tsv",
        start=start_package,
    output:
        package=PACKAGE,
        table=f"{TRAINING}/models.yaml",
        card=f"{TRAINING}/model_card.md",
    log:
        training_log("train_export"),
    benchmark:
        training_benchmark("train_export")
    conda:
        "../envs/network.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        name="train_export",
        fold=lambda wildcards: FOLD,
        model={key: TRAIN[key] for key in ("name", "description", "data", "licence")},
        recipe=recipe("folds", *recipe_keys(), *RATED),
        seed=config["seed"],
        atlas="none" if TRAIN["target"] == "brain" else ATLAS,
        n4={s: word for s, word in PREPROCESS["n4"].items() if s in TRAIN["sequences"]},
        others=other_models,
        inference=inference_settings() | {"method": config["fuse"]["method"]},
    script:
        "../scripts/train_export.py"
