from gliaflow.export.tables import write_freesurfer, write_itksnap, write_slicer
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    write_itksnap(snakemake.output.itksnap)
    write_slicer(snakemake.output.slicer)
    write_freesurfer(snakemake.output.freesurfer)
