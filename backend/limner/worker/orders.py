"""An order (`engine.order`) becomes a task that is ready to run.

What the artist sent is read here and nowhere else: pictures, SVG, settings, names of models. Each
is refused in words when it is not what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from limner.engine.order import Order
from limner.methods.base import OTHERS, ROLES, STYLES, Inputs, Models
from limner.methods.editing import own_clips
from limner.methods.registry import METHODS
from limner.methods.schema import read, with_recipe
from limner.models import clip
from limner.pictures import read_mask, read_picture
from limner.vector.svg import read_svg
from limner.worker import checkpoint
from limner.worker.loop import Task
from limner_wire.errors import ErrorCode, LimnerError

SVG = "image/svg+xml"


class Shelf:
    """Networks that are loaded once and used again; the last set that was asked for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._names: tuple[str, ...] | None = None
        self._models = Models()

    def get(self, names: tuple[str, ...]) -> Models:
        """The networks of those names; the best on the machine when none is named.

        Raises:
            LimnerError: UNKNOWN_MODEL.
        """
        if names != self._names:
            self._models = Models(clip.load(names, self.device))
            self._names = names
        return self._models


def ready(order: Order, shelf: Shelf) -> Task:
    """The task of an order.

    Raises:
        LimnerError: for whatever in it is not what it should be.
    """
    submit = order.submit
    method = METHODS.get(submit.method)
    if method is None:
        raise LimnerError(
            ErrorCode.UNKNOWN_METHOD,
            f"There is no method {submit.method!r}.",
            f"There are: {', '.join(METHODS)}.",
        )
    if any("/" in name or "\\" in name for name in submit.models):
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, "A model is named by its name, not by a path.")
    read(method.params, submit.params)  # refused before a network is loaded
    names = submit.models or own_clips(method, submit.params)
    models = shelf.get(names) if method.needs_models else Models()
    recipe = models.clips[0].clip.recipe if models.clips else {}
    params = with_recipe(method, recipe, submit.params)
    saved: Mapping[str, Tensor] | None = None
    if order.saved:
        found = checkpoint.from_bytes(order.saved, shelf.device)
        params, saved = read(method.params, found.params), found.tensors
    inputs = inputs_of(order.blobs, (submit.canvas[0], submit.canvas[1]))
    return Task(
        submit.job, submit.method, params, inputs, models, shelf.device, saved, order.adjusted
    )


def inputs_of(blobs: Mapping[str, tuple[str, bytes]], canvas: tuple[int, int]) -> Inputs:
    """What was sent, as methods take it.

    Args:
        blobs: (kind, bytes) by role.
        canvas: (width, height) in pixels.

    Raises:
        LimnerError: UNREADABLE or BAD_INPUT for what is not what it should be.
    """
    width, height = canvas
    size = (height, width)
    if strange := set(blobs) - set(ROLES):
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no input {sorted(strange)[0][:40]!r}.")
    background = picture = strokes = mask = None
    if "over" in blobs:
        background = read_picture(blobs["over"][1], size=size)
    if "mask" in blobs:
        mask = read_mask(blobs["mask"][1], size)
    if "init" in blobs:
        kind, data = blobs["init"]
        if kind == SVG:
            strokes = read_svg(data, size)
        else:
            picture = read_picture(data)
    if "picture" in blobs:
        picture = read_picture(blobs["picture"][1], size=size)
    styles, others = (
        tuple(read_picture(blobs[role][1]) for role in roles if role in blobs)
        for roles in (STYLES, OTHERS)
    )
    return Inputs(size, background, picture, strokes, mask, styles, others=others)
