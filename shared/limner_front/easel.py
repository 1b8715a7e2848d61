"""The drawings of a front end: begun, commanded, heard of. No widget, no document, no socket.

One of them is shown; the others go on. What they become in the host's document is its own affair:
it hears here what has happened (`Host`), and gives the line to the backend (`Line`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from limner_front.i18n import _
from limner_front.jobs import History, Job
from limner_wire import messages as m
from limner_wire.errors import WireError
from limner_wire.session import Heard, Session

LIVE = (m.StrokesFrame, m.RasterFrame)


class Line(Protocol):
    """What says things to the backend."""

    session: Session

    @property
    def is_ready(self) -> bool:
        """Whether anything can be asked."""
        ...

    def ask(self, message: m.Message) -> None:
        """Say something."""
        ...

    def upload(self, data: bytes, mime: str) -> str:
        """Send a picture; its id."""
        ...

    def unwatch(self, job: str) -> None:
        """Hear no more of a job."""
        ...

    def shown(self, heard: Heard) -> None:
        """It is on the artist's screen."""
        ...


class Host(Protocol):
    """What hears of it."""

    def changed(self) -> None:
        """Something is to be shown anew."""
        ...

    def framed(self, job: Job, heard: Heard) -> None:
        """A live frame has come; who has shown it calls `Line.shown`."""
        ...

    def switched(self) -> None:
        """Another drawing is shown, or none."""
        ...

    def ended(self, job: Job) -> None:
        """A drawing is over, and was not thrown away."""
        ...

    def gone(self, job: Job) -> None:
        """A drawing is in the list no more."""
        ...

    def adjusted(self, job: Job) -> None:
        """A drawing has taken a change."""
        ...

    def say(self, text: str) -> None:
        """Something for the artist to read."""
        ...


class Easel:
    """The drawings of one window."""

    def __init__(self, line: Line, host: Host) -> None:
        self._line, self._host = line, host
        self.history = History()
        self.job: Job | None = None  # that is shown
        self._thrown: set[str] = set()

    # --- what the artist does ---------------------------------------------------------------

    def begin(self, job: Job, inputs: Mapping[str, tuple[bytes, str]]) -> None:
        """Send the pictures (role -> bytes and their kind), then ask for the drawing; it is shown
        from now on."""
        self.adopt(job)
        try:
            for role, (data, mime) in inputs.items():
                job.uploads[role] = self._line.upload(data, mime)
        except WireError:
            job.fail(_("A picture is too large to be sent. Draw at a smaller size."))
        self._send_what_is_ready()

    def adopt(self, job: Job) -> None:
        """Take in a drawing that is with the backend already."""
        for old in self.history.add(job):
            self._host.gone(old)
        self.show(job.id)

    def show(self, job: str) -> None:
        """Show a drawing."""
        found = self.history.get(job)
        if found is not None and found is not self.job:
            self.job = found
            self._host.switched()
        self._host.changed()

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
        self._line.ask(message)
        self._host.changed()

    def adjust(self, job: str, changes: dict[str, Any]) -> None:
        """Change settings of a running drawing; why the last change could not be is read by now.

        (The backend takes back what can't be, as one more change: that is no reason to forget.)
        """
        if (found := self.history.get(job)) is not None:
            found.failure = ""
        self._line.ask(m.Adjust(job, changes))

    def remove(self, job: str) -> None:
        """Take a drawing that is over from the list."""
        found = self.history.get(job)
        if found is not None and found.is_over:
            self._remove(found)

    # --- what is heard ----------------------------------------------------------------------

    def hear(self, heard: Heard) -> None:
        """Take in whatever the backend says."""
        message: Any = heard.message
        job = self.history.get(getattr(message, "job", ""))
        if job is not None:
            self._hear_of(job, heard)
        elif isinstance(message, m.BlobOk):
            self._send_what_is_ready()
        elif isinstance(message, m.Failed) and not message.job:
            self._refused(message)
        elif isinstance(message, m.Forgotten) and message.why == "room":
            n = len(message.jobs)
            self._host.say(_("The backend deleted old drawings: their room was needed ({n}).", n=n))

    def disconnected(self) -> None:
        """The line is down: whether the last commands were heard, the next states will tell."""
        for job in self.history:
            job.asked = ""

    # --- inside -----------------------------------------------------------------------------

    def _send_what_is_ready(self) -> None:
        for job in self.history:
            is_here = all(map(self._line.session.has_uploaded, job.uploads.values()))
            if not job.is_sent and not job.is_over and is_here:
                job.is_sent = True
                self._line.ask(job.submit())

    def _hear_of(self, job: Job, heard: Heard) -> None:
        was_over = job.is_over
        job.tell(heard)
        if isinstance(heard.message, LIVE) and not job.is_over:
            self._host.framed(job, heard)
        else:
            self._line.shown(heard)
        if isinstance(heard.message, m.Adjusted):
            self._host.adjusted(job)
        if job.is_over and not was_over:
            self._over(job)
        self._host.changed()

    def _over(self, job: Job) -> None:
        if job.id in self._thrown:
            self._thrown.discard(job.id)
            self._line.ask(m.Forget(job.id))
            self._remove(job)
        else:
            self._host.ended(job)

    def _refused(self, failed: m.Failed) -> None:
        """An answer to nothing in particular: to an upload, if one is under way."""
        said = f"{failed.message} {failed.hint}".strip()
        waiting = [job for job in self.history if not job.is_sent and not job.is_over]
        for job in waiting:
            job.fail(said)
        if not waiting:
            self._host.say(said)
        self._host.changed()

    def _remove(self, job: Job) -> None:
        self.history.remove(job)
        if job.is_sent:
            self._line.unwatch(job.id)
        self._host.gone(job)
        if self.job is job:
            self.job = None
            self._host.switched()
        self._host.changed()
