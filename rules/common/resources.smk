def memory(base_mb):
    """Memory of a job in MB, doubled with every attempt."""

    def mem_mb(wildcards, attempt):
        return base_mb * 2 ** (attempt - 1)

    return mem_mb


def memory_by_threads(base_mb):
    """Memory of a job in MB that starts a process for each thread but one, doubled with every attempt."""

    def mem_mb(wildcards, threads, attempt):
        return (base_mb + 2000 * threads) * 2 ** (attempt - 1)

    return mem_mb


def job_name(wildcards):
    """What an error calls a job: the session, and the sequence where it has one."""
    parts = dict(wildcards.items())
    name = "{cohort}/sub-{subject}/ses-{session}".format(**parts)
    return " ".join(filter(None, [name, parts.get("sequence")]))


def asked_of_rules(wildcards):
    """By rule the MB and the minutes that a job asks for at first; None where it says nothing, or where jobs differ."""
    return {rule.name: [asked_memory(rule), asked_minutes(rule)] for rule in workflow.rules}


def asked_memory(rule):
    if "mem_mb" not in rule.resources:
        return None
    cores = rule.resources["_cores"]
    threads = 1 if cores.is_evaluable() else cores.value
    return rule.resources["mem_mb"].evaluate(None, attempt=1, threads=threads).value


def asked_minutes(rule):
    asked = rule.resources.get("runtime")
    return None if asked is None or asked.is_evaluable() else asked.value
