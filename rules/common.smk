# Functions and names that the rules share, one file a topic.
include: "common/settings.smk"
include: "common/paths.smk"
include: "common/resources.smk"
include: "common/convert.smk"
include: "common/preprocess.smk"
include: "common/segment.smk"
include: "common/report.smk"
include: "common/targets.smk"
