# Jobs that last seconds, for what does not need images. The names are those of rules that the profile knows.
include: "../../rules/common/resources.smk"


rule greedy:
    output:
        "greedy.txt",
    resources:
        mem_mb=memory(350),
        runtime=5,
    shell:
        "python3 -c 'import time; held = bytearray(range(200)) * (3 << 19); time.sleep(6)'; date > {output}"


rule patient:
    output:
        "{name}.txt",
    resources:
        mem_mb=memory(500),
        runtime=15,
    shell:
        "echo begun >> {wildcards.name}.begun; sleep 15; echo done > {output}"


rule segment:
    output:
        "gpu.txt",
    resources:
        mem_mb=memory(500),
        runtime=5,
        gpu=1,
    shell:
        "echo ${{CUDA_VISIBLE_DEVICES-none}} > {output}"


rule features:
    output:
        "{name}.place",
    resources:
        mem_mb=memory(500),
        runtime=5,
    shell:
        "echo $TMPDIR > {output}"
