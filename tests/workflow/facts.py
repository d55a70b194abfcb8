"""What Snakemake knows of rules and planned jobs, which no option of its command line prints in full."""

import json
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

ATTEMPTS = (1, 2, 3)


def rule_facts(rule):
    return {
        "log": [str(path) for path in rule.log],
        "benchmark": str(rule.benchmark or ""),
        "conda": str(rule.conda_env or ""),
        "script": str(rule.script or ""),
        "local": rule.name in rule.workflow._localrules,
        "resources": sorted(rule.resources),
    }


def job_facts(job):
    memory = []
    for attempt in ATTEMPTS:
        job.attempt = attempt
        memory.append(job.resources.get("mem_mb"))
    return {
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards.items()),
        "input": [str(path) for path in job.input],
        "output": [str(path) for path in job.output],
        "reported": [str(path) for path in job.output if is_flagged(path, "report")],
        "params": dict(job.params.items()),
        "gpu": job.resources.get("gpu", 0),
        "memory": memory,
    }


def write_facts(snakefile, directory, facts, config, target):
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1),
            ConfigSettings(config=json.loads(config)),
            snakefile=Path(snakefile),
            workdir=Path(directory),
        )
        workflow.dag(DAGSettings(targets={target})).execute_workflow(executor="dryrun")
        made = workflow._workflow_store
        rules = {rule.name: rule_facts(rule) for rule in made.rules}
        jobs = [job_facts(job) for job in made.dag.needrun_jobs(exclude_finished=False)]
        Path(facts).write_text(json.dumps({"rules": rules, "jobs": jobs}, default=str))
