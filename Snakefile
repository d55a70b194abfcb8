from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config/config.yaml"


report: "resources/report/workflow.rst"


include: "rules/common.smk"
include: "rules/simulate.smk"
include: "rules/models.smk"
include: "rules/convert.smk"
include: "rules/preprocess.smk"
include: "rules/register.smk"
include: "rules/segment.smk"
include: "rules/fuse.smk"
include: "rules/raters.smk"
include: "rules/uncertainty.smk"
include: "rules/evaluate.smk"
include: "rules/growth.smk"
include: "rules/growth_judge.smk"
include: "rules/growth_cohort.smk"
include: "rules/features.smk"
include: "rules/train_data.smk"
include: "rules/train.smk"
include: "rules/marker.smk"
include: "rules/predict.smk"
include: "rules/habitats.smk"
include: "rules/report.smk"
include: "rules/export.smk"
include: "rules/provenance.smk"
include: "rules/usage.smk"


onsuccess:
    tell_end()


onerror:
    end_in_part(tell_end())


rule all:
    default_target: True
    input:
        final_outputs(),


rule sessions:
    input:
        sessions_outputs(),


rule pictures:
    input:
        pictures_there(),
