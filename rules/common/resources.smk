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
