"""From DICOM or NIfTI to checked NIfTI."""
