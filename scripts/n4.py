from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.bias import correct_bias
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    image = read_image(snakemake.input[0])
    keep_image(
        snakemake.output.image,
        correct_bias(image, **snakemake.params.settings),
        like=image,
        sources=[snakemake.input[0]],
        space=snakemake.wildcards.sequence,
        parameters=snakemake.params.settings,
        software=["SimpleITK", "antspyx"],
    )
