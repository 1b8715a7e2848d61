"""Small pictures of the drawings, for the list in the panel. They are no datablocks."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from . import images

SIDE_PX = 128  # of one that changes

_pictures: Any = None  # a collection of previews, while there are any


def put(job: str, png: bytes) -> None:
    """A drawing looks like this."""
    drop(job)
    path = _path(job)
    with contextlib.suppress(OSError):  # a full disk: then there is no picture
        path.write_bytes(png)
        _collection().load(job, str(path), "IMAGE")


def show(job: str, image: Any) -> None:
    """A drawing that runs looks like this image now."""
    pixels = images.small(image, SIDE_PX)
    found = _collection()
    picture = found[job] if job in found else found.new(job)
    picture.image_size = pixels.shape[1], pixels.shape[0]
    picture.image_pixels_float.foreach_set(pixels.ravel())


def icon(job: str) -> int:
    """What `layout.template_icon` takes; 0 if there is no picture."""
    return int(_pictures[job].icon_id) if _pictures is not None and job in _pictures else 0


def drop(job: str) -> None:
    """It is in the list no more."""
    if _pictures is not None and job in _pictures:
        del _pictures[job]
        _path(job).unlink(missing_ok=True)


def clear() -> None:
    """No drawing has a picture any more."""
    global _pictures
    if _pictures is not None:
        for job in list(_pictures):
            drop(job)
        bpy.utils.previews.remove(_pictures)
        _pictures = None


def _collection() -> Any:
    global _pictures
    if _pictures is None:
        _pictures = bpy.utils.previews.new()
    return _pictures


def _path(job: str) -> Path:
    return Path(bpy.app.tempdir) / f"limner-{job}.png"
