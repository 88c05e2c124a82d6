"""What is done with each picture. Every function may be called again with the same file."""

from typing import Any

import files
import png

THUMBNAIL = 32
"""Pixels of a thumbnail's longer side, at the most."""


def thumbnail(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Make a thumbnail."""
    small = png.shrink(png.read(files.get(event["file"])), THUMBNAIL)
    name = f"thumbnails/{event['file']}"
    files.put(name, png.write(small))
    return {"name": name, "width": small.width, "height": small.height}


def metadata(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Read size, color type, and who made it."""
    content = files.get(event["file"])
    picture = png.read(content)
    return {
        "width": picture.width,
        "height": picture.height,
        "channels": png.CHANNELS[picture.color],
        "bytes": len(content),
        "author": picture.texts.get("Author", "unknown"),
    }


def text(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Read the words that belong to the picture."""
    words = png.read(files.get(event["file"])).texts.get("Description", "")
    return {"text": words, "words": len(words.split())}
