"""The drawings, between the backend and the document: what of both they need, as Qt's signals.

What belongs to a document is frozen when a drawing begins (`snapshot`), so that the artist may go
on painting. How drawings are begun, commanded and heard of is `limner_front.easel`.
"""

from __future__ import annotations

from typing import Any

from limner_front import easel, words
from limner_front.i18n import _
from limner_front.jobs import History, Job, Request
from limner_krita.inputs import INIT, NOTHING, OVER, Given
from limner_krita.qt import QtCore, Signal
from limner_krita.transport import Transport
from limner_wire.errors import LimnerError
from limner_wire.session import Heard


class Easel(QtCore.QObject):
    """The drawings of one window.

    Args:
        canvas: the module `document`: what there is of Krita's document.

    Signals:
        changed: something is to be shown anew.
        framed: a frame of the shown drawing has come; who shows it calls `transport.shown`.
        switched: another drawing is shown, or none.
        ended: a drawing is over: the drawing.
        gone: a drawing is in the list no more: its id.
        adjusted: the shown drawing has taken a change.
        said: something for the artist to read.
    """

    changed = Signal()
    framed = Signal(object)
    switched = Signal()
    ended = Signal(object)
    gone = Signal(str)
    adjusted = Signal()
    said = Signal(str)

    def __init__(
        self, transport: Transport, canvas: Any, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.transport, self._canvas = transport, canvas
        self._drawings = easel.Easel(transport, _Signals(self))
        self.show, self.command = self._drawings.show, self._drawings.command
        self.adjust, self.remove = self._drawings.adjust, self._drawings.remove
        transport.heard.connect(self._drawings.hear)
        transport.phaseChanged.connect(self._phase_changed)

    @property
    def history(self) -> History:
        """The drawings of this start of Krita."""
        return self._drawings.history

    @property
    def job(self) -> Job | None:
        """The one that is shown."""
        return self._drawings.job

    def snapshot(self, given: Given, longest_px: int) -> Any:
        """What of the document a drawing needs, as it is now.

        Raises:
            LimnerError: in words, if there is none, or it can't be read.
        """
        source = self._canvas.Source
        chosen: dict[str, Any] = {role: source(where) for role, where in given.sources.items()}
        chosen |= {role: self._canvas.Layer(*found) for role, found in given.layers.items()}
        over, init = (chosen.pop(role, source(NOTHING)) for role in (OVER, INIT))
        return self._canvas.take_snapshot(over, init, longest_px, chosen)

    def begin(self, request: Request, snapshot: Any, inputs: dict[str, tuple[bytes, str]]) -> Job:
        """Ask for a drawing; it is shown from now on."""
        job = Job(request, snapshot=snapshot)
        self._drawings.begin(job, inputs)
        return job

    def apply(self, job: Job, *, as_picture: bool = False) -> None:
        """Put a result on the canvas it was drawn for, as a new layer."""
        result = job.result
        if result is None:
            return
        about, name = job.about(), words.layer_name(job)
        try:
            if result.svg and not as_picture:
                self._canvas.apply_strokes(job.snapshot, result.svg, name, about)
            else:
                self._canvas.apply_raster(job.snapshot, result.png, name, about)
            self._canvas.remember(job.snapshot, about)
        except LimnerError as problem:
            self.said.emit(str(problem))
            return
        self.said.emit(_("On the canvas, as a new layer: “{name}”.", name=name))
        self.changed.emit()

    def why_not(self) -> str:
        """Why nothing can be put on the canvas now; nothing if it can."""
        return str(self._canvas.problem())

    def _phase_changed(self) -> None:
        if not self.transport.is_ready:
            self._drawings.disconnected()
        self.changed.emit()


class _Signals:
    """Tells Qt what the drawings tell (`limner_front.easel.Host`)."""

    def __init__(self, to: Easel) -> None:
        self._to = to

    def changed(self) -> None:
        self._to.changed.emit()

    def framed(self, job: Job, heard: Heard) -> None:
        if job is self._to.job:
            self._to.framed.emit(heard)
        else:
            self._to.transport.shown(heard)

    def switched(self) -> None:
        self._to.switched.emit()

    def ended(self, job: Job) -> None:
        self._to.ended.emit(job)

    def gone(self, job: Job) -> None:
        self._to.gone.emit(job.id)

    def adjusted(self, job: Job) -> None:
        if job is self._to.job:
            self._to.adjusted.emit()

    def say(self, text: str) -> None:
        self._to.said.emit(text)
