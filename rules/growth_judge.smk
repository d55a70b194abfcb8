rule growth_followup:
    input:
        image=of_reference(IN_REF),
        mask=BRAIN_REF,
        labels=grown_labels,
        grid=of_reference(NATIVE),
        baseline=at_first(of_growth_reference),
        baseline_mask=of_first(GROWTH_BRAIN),
        baseline_labels=of_first(GROWTH_LABELS),
    output:
        labels=IN_BASELINE[0],
        report=IN_BASELINE[1],
        sidecar=sidecar(IN_BASELINE[0]),
        picture=picture("followup", "followup", "Growth"),
    log:
        log_path("growth_followup"),
    benchmark:
        benchmark_path("growth_followup")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(4000, 40),
        runtime=60,
    params:
        name=job_name,
        values=grown_values,
        cell=grown_cell,
        seed=config["seed"],
        dpi=config["report"]["dpi"],
    script:
        "../scripts/growth_followup.py"


rule growth_evaluate:
    input:
        fit=of_first(FIT),
        first=of_first(GROWTH_LABELS),
        invasion=of_first(INVASION[0]),
        tissue=of_first(TISSUE),
        diffusion=at_first(diffusion_maps),
        mask=of_first(GROWTH_BRAIN),
        plans=of_first([*STANDARD_PLANS, MODEL_PLAN]),
        restart=restart_labels,
        labels=IN_BASELINE[0],
    output:
        tables=RANKING,
        dictionaries=[data_dictionary(path) for path in RANKING],
        agreement=growth("agreement.nii.gz", space="baseline"),
        sidecar=growth("agreement.json", space="baseline"),
        picture=session_picture(CURVES, "growth_precision", "Growth ranking"),
    log:
        log_path("growth_evaluate"),
    benchmark:
        benchmark_path("growth_evaluate")
    conda:
        "../envs/growth.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        name=job_name,
        plans=[*(f"margin{mm:g}" for mm in GROWTH["margins_mm"]), "model"],
    script:
        "../scripts/growth_evaluate.py"


rule growth_settings:
    input:
        tissue=of_first(TISSUE),
        diffusion=at_first(diffusion_maps),
        mask=of_first(GROWTH_BRAIN),
        start=of_first(GROWTH_LABELS),
        restart=restart_labels,
        labels=IN_BASELINE[0],
    output:
        table=SETTINGS_TRIED,
        dictionary=data_dictionary(SETTINGS_TRIED),
    log:
        log_path("growth_settings"),
    benchmark:
        benchmark_path("growth_settings")
    conda:
        "../envs/growth.yaml"
    threads: GROWTH["threads"]
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        name=job_name,
        rho=GROWTH["rho"],
        restarts=GROWTH["restarts"],
        tried=GROWTH["settings"],
        seed=config["seed"],
    script:
        "../scripts/growth_settings.py"
