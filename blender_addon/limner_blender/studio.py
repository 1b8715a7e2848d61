"""The artist's studio: what is drawn now, what was drawn, and what may be done with it.

It joins the line to the backend, the drawings (`limner_front.easel`) and what they become in the
file (`stage`). All of it runs on Blender's own thread: operators ask it, the pump has it look, the
panels read it.
"""

from __future__ import annotations

import time
from typing import Any

import bpy

from limner_front import program, settings, words
from limner_front.adjuster import GAP_S, STAYS_GAP_S, Adjuster
from limner_front.easel import Easel
from limner_front.i18n import _
from limner_front.jobs import SENDING, Job, Request
from limner_wire import messages as m
from limner_wire.errors import LimnerError
from limner_wire.session import Heard
from limner_wire.strokes import Strokes

from . import asked, canvas, drawings, forms, gallery, images, prefs, props, stage
from .net import Line, Where
from .starter import Starter

SAID_S = 12.0
NOTE_S = 4.0
EARLIER = 30  # of the backend's own history
SETTINGS = "blender.json"

_studio: Studio | None = None


def studio() -> Studio | None:
    """The studio, while the extension is enabled."""
    return _studio


def open_studio(version: str) -> Studio:
    """Begin: connect, and hear."""
    global _studio
    _studio = Studio(version)
    _studio.line.open()
    return _studio


def close_studio() -> None:
    """End: nothing of it is left, no thread, no socket, no process."""
    global _studio
    closing, _studio = _studio, None
    if closing is not None:
        closing.line.close()
        closing.starter.close()


class Studio:
    """All that the panels show.

    Attributes:
        easel: the drawings; `easel.job` is the shown one.
        said: the last thing to be read, for a while.
        notes: beside fields: setting -> words.
        earlier: what the backend has drawn before, as its list tells it, the newest first.
        methods: what the backend offers, by name.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.settings = settings.load(SETTINGS, settings.Settings)
        self.line = Line(f"blender/{version}")
        self.starter = Starter()
        self.easel = Easel(self.line, self)
        self.adjuster = Adjuster()
        self.said, self._said_at = "", 0.0
        self.notes: dict[str, str] = {}
        self._noted_at = 0.0
        self.earlier: tuple[dict[str, Any], ...] = ()
        self.methods: dict[str, dict[str, Any]] = {}
        self._attached = ""  # the drawing that the form belongs to
        self._previews: set[str] = set()  # the images that drawings had while they ran
        self._seen = -1  # of the line's news
        self._is_changed = True
        self._keys: dict[str, tuple[set[int], dict[int, Strokes]]] = {}  # job -> wanted, come

    # --- what is so ---------------------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The drawing that is shown."""
        return self.easel.job

    @property
    def history(self) -> Any:
        """The drawings of this start, the newest first."""
        return self.easel.history

    @property
    def models(self) -> tuple[dict[str, Any], ...]:
        """The models that the backend has, the best first."""
        return self.line.welcome.models if self.line.welcome else ()

    @property
    def is_attached(self) -> bool:
        """Whether the form belongs to the drawing that runs."""
        return self.job is not None and not self.job.is_over and self.job.id == self._attached

    @property
    def is_live(self) -> bool:
        """Whether anything is expected soon."""
        return any(not job.is_over for job in self.history) or self.starter.is_starting

    def why_not_draw(self, context: bpy.types.Context) -> str:
        """Why nothing can be drawn now, in words; nothing if it can."""
        if not self.line.is_ready:
            return self.line.problem or _("The backend is not connected.")
        return asked.problem(context)

    def why_not_hold(self) -> str:
        """Why the shown drawing can't be stopped and kept."""
        return words.why_not_hold(self.job, is_ready=self.line.is_ready)

    def why_not_pause(self) -> str:
        """Why the shown drawing can't be paused, nor go on."""
        return words.why_not_pause(self.job, is_ready=self.line.is_ready)

    def why_not_cancel(self) -> str:
        """Why the shown drawing can't be thrown away."""
        return words.why_not_command(self.job, is_ready=self.line.is_ready)

    def why_not_keep(self) -> str:
        """Why the shown drawing can't be kept, baked or animated."""
        return words.why_not_keep(self.job)

    def why_not_strokes(self) -> str:
        """Why nothing can be done with the strokes of the shown drawing."""
        if why_not := self.why_not_keep():
            return why_not
        return "" if stage.has_strokes(self.job) else _("It is a picture: it has no strokes.")

    def why_not_continue(self, context: bpy.types.Context) -> str:
        """Why the selected object can't be gone on from."""
        if drawings.about_of(context.object) is None:
            return _("The selected object was not drawn by Limner. Select one that was.")
        return ""

    def say(self, text: str) -> None:
        """Something to read, for a while."""
        self.said, self._said_at, self._is_changed = text, time.monotonic(), True

    # --- what the artist does -----------------------------------------------------------------

    def draw(self, context: bpy.types.Context) -> None:
        """Begin a drawing with what is set.

        Raises:
            LimnerError: in words, if it can't be.
        """
        own = asked.own_size(context.scene)
        request = asked.request(context.scene, own)
        placed = asked.placed(context, request.method, request.canvas)
        placed.of = asked.edited(context.scene)
        inputs = asked.inputs(context, request.canvas, own, self._live_objects())
        self.begin(request, placed, inputs)
        if placed.sink != stage.IMAGE and canvas.hides_colours(context):
            canvas.show_colours(context)
            self.say(_("Solid shading shows colours by attribute now: strokes were black in it."))

    def begin(
        self, request: Request, placed: stage.Placed, inputs: dict[str, tuple[bytes, str]]
    ) -> Job:
        """Ask for a drawing that will stand there."""
        job = Job(request, snapshot=placed)
        self.easel.begin(job, inputs)
        self._attached, self.said = job.id, ""
        self.settings.add_prompt(job.prompt)
        settings.save(SETTINGS, self.settings)
        self.adjuster.follow(request.params)
        return job

    def new_drawing(self) -> None:
        """Leave the running drawing to itself: the form is free for the next."""
        self._attached, self._is_changed = "", True

    def changed_setting(self, scene: bpy.types.Scene, name: str, value: Any) -> None:
        """A setting was changed; the running drawing takes it, if the form is its own."""
        if self.is_attached and self.job is not None:
            self.adjuster.take(name, value, forms.usual(scene, self.job.request.method, name))

    def adopt(self, row: dict[str, Any], placed: stage.Placed) -> None:
        """Bring in a drawing that the backend has, done or running, whoever began it."""
        if self.history.get(row["job"]) is not None:
            self.easel.show(row["job"])
            return
        width, height = row["canvas"]
        request = Request(row["method"], {"prompt": row["prompt"]}, (width, height))
        job = Job(request, id=row["job"], is_sent=True, snapshot=placed)
        self.easel.adopt(job)
        self.line.ask(m.Watch(job.id))

    def stop_keep(self) -> None:
        """Stop the shown drawing, and keep it with what was changed last."""
        self._send_changes(is_last=True)
        self.easel.command("keep")

    def keep(self, job: Job) -> None:
        """Put a result into the file, if it is not there.

        Raises:
            LimnerError: in words, if it can't be.
        """
        if not stage.is_there(job):
            stage.finish(job)
        self._push_undo(job)

    def animate(self, job: Job) -> None:
        """Fetch a drawing's recorded key frames, to be keyframes of its object."""
        self._keys[job.id] = set(), {}
        self.line.ask(m.Describe(job.id))

    def discard(self, job: Job) -> None:
        """Take away what a drawing became, and forget it; one that runs is stopped."""
        stage.discard(job)
        if job.is_over:
            self.easel.remove(job.id)
        else:
            self.easel.show(job.id)
            self.easel.command("drop")

    def start_backend(self, saved: str) -> None:
        """Start it here.

        Args:
            saved: the program, if the artist has named it.
        """
        found = program.find(saved or self.settings.limner)
        if not found:
            self.say(_("The program “limner” was not found. Name it in the preferences."))
            return
        self.starter.start(found)

    def loading_file(self) -> None:
        """Another file comes: what runs is stopped and kept by the backend; its objects go."""
        for job in list(self.history):
            if not job.is_over and job.is_sent:
                self.line.ask(m.Cancel(job.id, keep=True))
                self.line.unwatch(job.id)
        self.easel = Easel(self.line, self)
        self._attached = ""
        self._previews.clear()
        self._keys.clear()
        gallery.clear()

    def undone(self, scene: bpy.types.Scene) -> None:
        """Blender went back or forth in its history: objects that are missing may come back, and
        settings have changed without a word."""
        for job in self.history:
            if job.snapshot is not None:
                job.snapshot.was_undone = True
        live = {job.snapshot.image for job in self._live_jobs()}
        images.remove_previews(self._previews - live)
        if self.is_attached and self.job is not None:
            for name, row in forms.adjustable(scene, self.job.request.method).items():
                self.adjuster.take(name, *row)

    def look_elsewhere(self) -> None:
        """Talk with the backend that the preferences name, if it may be used; else with this
        machine's."""
        far = prefs.far()
        where = Where(*far, is_far=True) if far else None
        if where != self.line.elsewhere:
            self.line.elsewhere = where
            self.line.hang_up()

    # --- what happens -------------------------------------------------------------------------

    def look(self) -> bool:
        """Take in what was heard, and what time has brought; whether there is news."""
        self.starter.look(is_heard=self.line.is_ready)
        if not self.line.is_ready:
            self.look_elsewhere()  # Blender may be allowed online by now
        if self.line.news != self._seen:
            self._seen, self._is_changed = self.line.news, True
            self._link_changed()
        for heard in self.line.take():
            self._hear(heard)
        self._send_changes()
        self._fall_silent()
        news, self._is_changed = self._is_changed, False
        return news or self.starter.is_starting

    def _hear(self, heard: Heard) -> None:
        message: Any = heard.message
        if isinstance(message, m.Jobs):
            self.earlier, self._is_changed = message.jobs, True
        elif isinstance(message, m.Described) and message.job in self._keys:
            self._ask_for_keys(message)
        elif isinstance(message, m.StrokesFrame) and not message.seq:
            self._key_came(message, heard.strokes)
        else:
            self.easel.hear(heard)

    def _link_changed(self) -> None:
        welcome = self.line.welcome
        if not self.line.is_ready:
            self.easel.disconnected()
        elif welcome is not None and welcome.methods:
            self.line.ask(m.ListJobs(count=EARLIER))
            self.methods = {str(method["name"]): method for method in welcome.methods}
            props.offer(welcome)
        if self.line.is_ready and welcome is not None and self.line.elsewhere is not None:
            self._remember_key(welcome.session)

    def _remember_key(self, key: str) -> None:
        """A ticket opens another machine's backend once; this key does from then on."""
        found = prefs.get()
        if found is not None and found.key != key:
            self.line.elsewhere = Where(found.address, key, is_far=True)
            found.key = key

    def _send_changes(self, is_last: bool = False) -> None:
        is_open = self.line.is_ready and self.is_attached and self.job.state != SENDING
        gap_s = STAYS_GAP_S if self.job is not None and self.job.stays else GAP_S
        gap_s = 0.0 if is_last else gap_s
        if is_open and (changes := self.adjuster.due(time.monotonic(), gap_s)):
            self.easel.adjust(self._attached, changes)
            if not self.job.stays:  # else the picture says it
                self._note(changes, _("sent…"))

    def _note(self, names: Any, text: str) -> None:
        self.notes, self._noted_at = {name: text for name in names}, time.monotonic()
        self._is_changed = True

    def _fall_silent(self) -> None:
        now = time.monotonic()
        if self.said and now - self._said_at > SAID_S:
            self.said, self._is_changed = "", True
        if self.notes and now - self._noted_at > NOTE_S:
            self.notes, self._is_changed = {}, True

    # --- key frames ---------------------------------------------------------------------------

    def _ask_for_keys(self, described: m.Described) -> None:
        steps = {int(step) for step in described.about.get("frames", [])}
        self._keys[described.job] = steps, {}
        for step in sorted(steps):
            self.line.ask(m.Fetch(described.job, "frame", step))
        if not steps:
            self._keys_are_here(described.job)

    def _key_came(self, frame: m.StrokesFrame, strokes: Strokes | None) -> None:
        wanted, come = self._keys.get(frame.job, (set(), {}))
        if strokes is not None and frame.step in wanted:
            come[frame.step] = strokes
            if len(come) == len(wanted):
                self._keys_are_here(frame.job)

    def _keys_are_here(self, name: str) -> None:
        job, (_wanted, come) = self.history.get(name), self._keys.pop(name)
        if job is None:
            return
        try:
            last = stage.animate(job, come)
        except LimnerError as problem:
            self.say(str(problem))
            return
        self.say(_("{n} keyframes, up to frame {last}.", n=len(come) + 1, last=last))
        self._push_undo(job)

    # --- what the easel tells (limner_front.easel.Host) -------------------------------------------

    def changed(self) -> None:
        """Something is to be shown anew."""
        self._is_changed = True

    def framed(self, job: Job, heard: Heard) -> None:
        """A live frame: into the file, and the next may come."""
        try:
            if job.snapshot is not None:
                stage.show(job)
                if job.raster is not None:
                    self._previews.add(job.snapshot.image)
                    gallery.show(job.id, bpy.data.images[job.snapshot.image])
        except LimnerError as problem:
            self.say(str(problem))
        finally:
            self.line.shown(heard)

    def switched(self) -> None:
        """Another drawing is shown."""
        self._is_changed = True

    def ended(self, job: Job) -> None:
        """A drawing is over: its result takes its place, as one step of undo."""
        if job.result is not None and job.result.png:
            gallery.put(job.id, job.result.png)
        try:
            if job.snapshot is None or not job.is_kept:
                return
            stage.finish(job)
        except LimnerError as problem:
            self.say(str(problem))
            return
        self._push_undo(job)
        if job.snapshot.keys and job.snapshot.object:
            self.animate(job)
        self.line.ask(m.ListJobs(count=EARLIER))

    def gone(self, job: Job) -> None:
        """A drawing is in the list no more; one that never came to anything leaves nothing."""
        gallery.drop(job.id)
        if job.snapshot is not None and not job.is_kept:
            stage.discard(job)

    def adjusted(self, job: Job) -> None:
        """A drawing has taken a change: say from when on."""
        if job is self.job and job.confirmed is not None and not job.stays:
            step, changes = job.confirmed
            self._note(changes, _("from step {step} on", step=step))

    def _live_jobs(self) -> list[Job]:
        return [job for job in self.history if job.snapshot and not job.is_over]

    def _live_objects(self) -> list[str]:
        return [job.snapshot.object for job in self._live_jobs()]

    def _push_undo(self, job: Job) -> None:
        name = job.prompt or job.request.method
        bpy.ops.ed.undo_push(message=f"Limner: {name}"[:60])
