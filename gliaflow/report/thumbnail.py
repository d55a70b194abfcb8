"""Small pictures of key slices, kept inside the PNG of which they are a part, where reading them is cheap."""

import base64
import io
import re
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEYWORD = "Thumbnail"
SIZE = 144
QUALITY = 60
BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")


def thumbnail_info(picture: Image.Image, box: tuple[int, int, int, int]) -> PngInfo:
    """Return what is to be saved with a PNG so that `read_thumbnail` finds a part of it.

    Parameters
    ----------
    picture
        The whole, RGB.
    box
        Left, top, right and bottom of the part, in pixels.
    """
    part = picture.crop(box)
    part.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    part.save(buffer, format="WEBP", quality=QUALITY, method=4)
    info = PngInfo()
    info.add_text(KEYWORD, base64.b64encode(buffer.getvalue()).decode())
    return info


def read_thumbnail(path: str | Path) -> str | None:
    """Return a picture's small one as a data URL, or None where it has none; the picture is not decoded."""
    try:
        with Image.open(path) as picture:
            text = picture.info.get(KEYWORD, "")
    except (OSError, SyntaxError, ValueError):
        return None
    return f"data:image/webp;base64,{text}" if BASE64.fullmatch(str(text)) else None
