from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.transforms import in_space_of, read_transform
from gliaflow.report.centre import view_centre
from gliaflow.report.pictures import draw_brain_mask


def in_ref(path, transform):
    return in_space_of(read_image(path), read_transform(transform))


with job(snakemake.log[0], snakemake.params.name):
    inputs, params = snakemake.input, snakemake.params
    images = {
        sequence: (in_ref(image, transform), in_ref(mask, transform))
        for sequence, image, mask, transform in zip(
            params.sequences, inputs.images, inputs.masks, inputs.transforms, strict=True
        )
    }
    labels = read_image(inputs.labels[0]) if inputs.labels else None
    centre = view_centre(read_image(inputs.mask), labels)
    draw_brain_mask(images, centre, snakemake.output[0], title=params.name, dpi=params.dpi)
