"""The drawings, between the backend and the document: begun, commanded, heard of, applied.

One of them is shown; the others go on. What belongs to a document is frozen when a drawing begins
(`snapshot`), so that the artist may go on painting.
"""

from __future__ import annotations

from typing import Any

from limner_krita import words
from limner_krita.i18n import _
from limner_krita.inputs import INIT, NOTHING, OVER, Given
from limner_krita.jobs import History, Job, Request
from limner_krita.qt import QtCore, Signal
from limner_krita.transport import Transport
from limner_wire import messages as m
from limner_wire.errors import LimnerError, WireError
from limner_wire.session import Heard

LIVE = (m.StrokesFrame, m.RasterFrame)


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
        self.history = History()
        self.job: Job | None = None  # that is shown
        self._thrown: set[str] = set()
        transport.heard.connect(self._heard)
        transport.phaseChanged.connect(self._phase_changed)

    # --- beginning --------------------------------------------------------------------------

    def snapshot(self, given: Given, longest_px: int) -> Any:
        """What of the document a drawing needs, as it is now.

        Raises:
            LimnerError: in words, if there is none, or it can't be read.
        """
        source = self._canvas.Source
        chosen = {role: source(where) for role, where in given.sources.items()}
        over, init = (chosen.pop(role, source(NOTHING)) for role in (OVER, INIT))
        return self._canvas.take_snapshot(over, init, longest_px, chosen)

    def begin(self, request: Request, snapshot: Any, inputs: dict[str, tuple[bytes, str]]) -> Job:
        """Send the pictures, then ask for the drawing; it is shown from now on."""
        job = Job(request, snapshot=snapshot)
        for old in self.history.add(job):
            self.gone.emit(old.id)
        try:
            for role, (data, mime) in inputs.items():
                job.uploads[role] = self.transport.upload(data, mime)
        except WireError:
            job.fail(_("A picture is too large to be sent. Draw at a smaller size."))
        self.show(job.id)
        self._send_what_is_ready()
        return job

    def _send_what_is_ready(self) -> None:
        session = self.transport.session
        for job in self.history:
            is_here = all(session.has_uploaded(sha256) for sha256 in job.uploads.values())
            if not job.is_sent and not job.is_over and is_here:
                job.is_sent = True
                self.transport.submit(job.submit())

    # --- commands ---------------------------------------------------------------------------

    def show(self, job: str) -> None:
        """Show a drawing."""
        found = self.history.get(job)
        if found is not None and found is not self.job:
            self.job = found
            self.switched.emit()
        self.changed.emit()

    def command(self, name: str) -> None:
        """Command the shown drawing: "pause", "resume", "keep", "drop"."""
        job = self.job
        if job is None or job.is_over:
            return
        if name == "drop":
            self._thrown.add(job.id)
        if not job.is_sent:
            self._remove(job)
            return
        job.asked = name
        message: m.Message = {
            "pause": m.Pause(job.id),
            "resume": m.Resume(job.id),
            "keep": m.Cancel(job.id, keep=True),
            "drop": m.Cancel(job.id, keep=False),
        }[name]
        self.transport.ask(message)
        self.changed.emit()

    def adjust(self, job: str, changes: dict[str, Any]) -> None:
        """Change settings of a running drawing."""
        self.transport.ask(m.Adjust(job, changes))

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

    def remove(self, job: str) -> None:
        """Take a drawing that is over from the list."""
        found = self.history.get(job)
        if found is not None and found.is_over:
            self._remove(found)

    def _remove(self, job: Job) -> None:
        self.history.remove(job)
        if job.is_sent:
            self.transport.unwatch(job.id)
        if self.job is job:
            self.job = None
            self.switched.emit()
        self.gone.emit(job.id)
        self.changed.emit()

    # --- what is heard ----------------------------------------------------------------------

    def _heard(self, heard: Heard) -> None:
        message: Any = heard.message
        job = self.history.get(getattr(message, "job", ""))
        if job is not None:
            self._heard_of(job, heard)
        elif isinstance(message, m.BlobOk):
            self._send_what_is_ready()
        elif isinstance(message, m.Failed) and not message.job:
            self._refused(message)
        elif isinstance(message, m.Forgotten) and message.why == "room":
            n = len(message.jobs)
            self.said.emit(_("The backend deleted old drawings: their room was needed ({n}).", n=n))

    def _heard_of(self, job: Job, heard: Heard) -> None:
        was_over = job.is_over
        job.tell(heard)
        if isinstance(heard.message, LIVE) and job is self.job and not job.is_over:
            self.framed.emit(heard)
        else:
            self.transport.shown(heard)
        if isinstance(heard.message, m.Adjusted) and job is self.job:
            self.adjusted.emit()
        if job.is_over and not was_over:
            self._over(job)
        self.changed.emit()

    def _over(self, job: Job) -> None:
        if job.id in self._thrown:
            self._thrown.discard(job.id)
            self.transport.ask(m.Forget(job.id))
            self._remove(job)
        else:
            self.ended.emit(job)

    def _refused(self, failed: m.Failed) -> None:
        """An answer to nothing in particular: to an upload, if one is under way."""
        said = f"{failed.message} {failed.hint}".strip()
        waiting = [job for job in self.history if not job.is_sent and not job.is_over]
        for job in waiting:
            job.fail(said)
        if not waiting:
            self.said.emit(said)
        self.changed.emit()

    def _phase_changed(self) -> None:
        for job in self.history:
            if not self.transport.is_ready:
                job.asked = ""  # whether it was heard, the next state tells
        self.changed.emit()
