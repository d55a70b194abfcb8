import math

from gliaflow.images import count_voxels

ORDINARY_MVOXELS = 16
LARGEST_SCANS = {}


def memory(base_mb, mb_per_mvoxel=0):
    """Memory of a job in MB, doubled with every attempt.

    `base_mb` is enough for scans of `ORDINARY_MVOXELS` million voxels, such as 256 slices of 256 x 256; each million
    more in the largest of the session's scans, or of the subject's first session's, takes `mb_per_mvoxel`.
    """

    def mem_mb(wildcards, attempt):
        beyond = max(0, mvoxels(wildcards) - ORDINARY_MVOXELS) if mb_per_mvoxel else 0
        return (base_mb + 100 * math.ceil(mb_per_mvoxel * beyond / 100)) * 2 ** (attempt - 1)

    return mem_mb


def mvoxels(wildcards):
    """Million voxels of the largest scan of a job's session and of its subject's first; of all, where no job is named."""
    entries = SESSIONS.values()
    if wildcards is not None:
        entries = [session_of(wildcards), FIRST[wildcards.cohort, wildcards.subject]]
    return max(map(largest_scan, entries), default=0) / 1e6


def largest_scan(entry):
    """Voxels of a session's largest scan: of the NIfTI file that is given, or of the one converted once it is there."""
    if entry.key not in LARGEST_SCANS:
        scans = [
            entry.sources[name] if entry.given_as_nifti(name) else file_of(NATIVE, entry, sequence=name)
            for name in entry.expected
        ]
        found = max(map(count_voxels, scans), default=0)
        if not all(map(os.path.exists, scans)):
            return found
        LARGEST_SCANS[entry.key] = found
    return LARGEST_SCANS[entry.key]


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
    """By rule the MB and the minutes that a job asks for at first; None where it says nothing, or where jobs differ.

    Where the size of scans matters, the largest is meant.
    """
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
