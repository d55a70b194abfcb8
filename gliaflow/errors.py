"""Errors whose message is a sentence that the user can act on."""


class GliaflowError(Exception):
    """An error of the data or the settings: its message says what is wrong and what to do."""


class ConfigError(GliaflowError):
    """The config or a sample sheet is wrong."""


class ImageError(GliaflowError):
    """An image cannot be read, or is not what its step promises."""


class ConversionError(GliaflowError):
    """A DICOM or NIfTI source cannot be turned into the image that the sheet names."""
