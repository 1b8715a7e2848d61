"""Every message of the protocol, one dataclass each (`reading` says how they are read).

Those with "Binary" in their text are the headers of binary frames (`frames`). Which must not be
lost is said in `DURABLE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from limner_wire import limits
from limner_wire.errors import ErrorCode
from limner_wire.reading import Like, Most, Within
from limner_wire.reading import Message as Message
from limner_wire.reading import UnknownType as UnknownType
from limner_wire.reading import parse as parse
from limner_wire.reading import read as read

PROTOCOL = 1
SUBPROTOCOL = "limner.v1"

Name = Annotated[str, Like(r"[a-z][a-z0-9_]{0,39}")]
JobId = Annotated[str, Like(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
BlobId = Annotated[str, Like(r"[0-9a-f]{64}")]  # sha256
Count = Annotated[int, Within(0, limits.INT_MAX)]
Words = Annotated[str, Most(2_000)]
Side = Annotated[int, Within(limits.CANVAS_MIN_PX, limits.CANVAS_MAX_PX)]
Canvas = Annotated[tuple[Side, ...], Most(2, least=2)]  # width, height in pixels
Settings = dict[str, Any]  # a method's own parameters: checked by its schema, not here

MIMES = ("image/png", "image/jpeg", "image/webp", "image/svg+xml")
STATES = ("queued", "loading", "running", "paused", "done", "error", "cancelled")
ENDED = frozenset({"done", "error", "cancelled"})


# --- from a front end to the backend ---------------------------------------------------------


@dataclass(frozen=True)
class Hello(Message):
    """The first message: which protocols are spoken, who speaks, and the token or a ticket."""

    t: ClassVar[str] = "hello"
    protocol: Annotated[tuple[Annotated[int, Within(0, 1_000)], ...], Most(8)]
    client: Annotated[str, Most(80)]
    token: Annotated[str, Most(200)] = ""
    ticket: Annotated[str, Most(200)] = ""
    credit: Annotated[int, Within(1, 8)] = 2
    remote: bool = False


@dataclass(frozen=True)
class Submit(Message):
    """A job. Its id is made by the client: sending it again is asking for the same job."""

    t: ClassVar[str] = "submit"
    job: JobId
    method: Name
    params: Settings
    canvas: Canvas
    inputs: dict[str, Any] = field(default_factory=dict)
    models: Annotated[tuple[Annotated[str, Most(80)], ...], Most(4)] = ()
    watch: bool = True


@dataclass(frozen=True)
class Blob(Message):
    """Binary: a part of an input, known by the hash of the whole; to a front end, all of it."""

    t: ClassVar[str] = "blob"
    sha256: BlobId
    mime: Annotated[str, Most(40)]
    size: Annotated[int, Within(1, limits.IMAGE_BYTES)]
    at: Count = 0
    job: Annotated[str, Most(36)] = ""  # of which it was fetched


@dataclass(frozen=True)
class Watch(Message):
    """Show me this job, from the durable event after `since_seq` on."""

    t: ClassVar[str] = "watch"
    job: JobId
    since_seq: Count = 0


@dataclass(frozen=True)
class Unwatch(Message):
    """Show me no more of this job; it goes on."""

    t: ClassVar[str] = "unwatch"
    job: JobId


@dataclass(frozen=True)
class Ack(Message):
    """A frame has been shown: another may come. `seq` may serve as base of a delta."""

    t: ClassVar[str] = "ack"
    job: JobId
    seq: Count


@dataclass(frozen=True)
class Cancel(Message):
    """Stop the job; what it has drawn is kept if `keep`."""

    t: ClassVar[str] = "cancel"
    job: JobId
    keep: bool = True


@dataclass(frozen=True)
class Pause(Message):
    """Hold the job before its next step."""

    t: ClassVar[str] = "pause"
    job: JobId


@dataclass(frozen=True)
class Resume(Message):
    """Let a paused job go on."""

    t: ClassVar[str] = "resume"
    job: JobId


@dataclass(frozen=True)
class Adjust(Message):
    """Change settings of a running job, from its next step on."""

    t: ClassVar[str] = "adjust"
    job: JobId
    params: Settings


@dataclass(frozen=True)
class ListJobs(Message):
    """Which jobs there are, the newest first."""

    t: ClassVar[str] = "list"
    before: Annotated[float, Within(0, 1e11)] = 0.0
    count: Annotated[int, Within(1, 100)] = 50


@dataclass(frozen=True)
class Fetch(Message):
    """Send something of a job's.

    Attributes:
        what: the result of a job that is done (`done`); the recorded key frame nearest to `step`
            (`strokes` with `seq` 0: it is not live, and not acknowledged); or the input that was
            given as `role` (`blob`, whole).
    """

    t: ClassVar[str] = "fetch"
    job: JobId
    what: Annotated[str, Like("result|frame|input")] = "result"
    step: Count = 0
    role: Annotated[str, Most(40)] = ""


@dataclass(frozen=True)
class Describe(Message):
    """Everything about one job but its pictures."""

    t: ClassVar[str] = "describe"
    job: JobId


@dataclass(frozen=True)
class Forget(Message):
    """Delete a job that is over, with all that belongs to it."""

    t: ClassVar[str] = "forget"
    job: JobId


@dataclass(frozen=True)
class Invite(Message):
    """Make a one-time link to the page: for oneself, or for a guest, who sees only their own."""

    t: ClassVar[str] = "invite"
    guest: Annotated[str, Like(r"[a-z0-9_-]{0,32}")] = ""


@dataclass(frozen=True)
class Ping(Message):
    """Are you there? For browsers, which can send no ping of the websocket's own."""

    t: ClassVar[str] = "ping"
    n: Count = 0


# --- from the backend to a front end ---------------------------------------------------------


@dataclass(frozen=True)
class Welcome(Message):
    """The answer to a good hello: what there is to ask for, and the bounds. Said again when that
    changes.

    Attributes:
        session: a key to come back with, as the next hello's `ticket`.
        ready: whether a worker is there; else it is starting, and jobs wait for it.
    """

    t: ClassVar[str] = "welcome"
    protocol: Count
    server: Annotated[str, Most(80)]
    session: Annotated[str, Most(200)]
    limits: dict[str, Any]
    methods: Annotated[tuple[dict[str, Any], ...], Most(64)]
    models: Annotated[tuple[dict[str, Any], ...], Most(256)]
    devices: Annotated[tuple[Annotated[str, Most(80)], ...], Most(64)] = ()
    ready: bool = True


@dataclass(frozen=True)
class Taken(Message):
    """A command for a job has been passed on; what comes of it follows as an event."""

    t: ClassVar[str] = "taken"
    job: JobId
    what: Name


@dataclass(frozen=True)
class BlobOk(Message):
    """A part has arrived; `complete` when the whole has, and its hash is right."""

    t: ClassVar[str] = "blob_ok"
    sha256: BlobId
    have: Count
    complete: bool


@dataclass(frozen=True)
class State(Message):
    """Durable: where a job stands.

    Attributes:
        stays: of a paused job: it has made its last step, and answers each change with a picture
            until it is cancelled; to keep that is to be done.
    """

    t: ClassVar[str] = "state"
    job: JobId
    seq: Count
    state: Annotated[str, Like("|".join(STATES))]
    position: Count = 0
    step: Count = 0
    note: Words = ""
    stays: bool = False


@dataclass(frozen=True)
class Adjusted(Message):
    """Durable: settings have changed, from this step on."""

    t: ClassVar[str] = "adjusted"
    job: JobId
    seq: Count
    step: Count
    params: Settings


@dataclass(frozen=True)
class Notice(Message):
    """Durable: something that the artist should know about a job."""

    t: ClassVar[str] = "notice"
    job: JobId
    seq: Count
    text: Words


@dataclass(frozen=True)
class Failed(Message):
    """What went wrong, why, and what to do next. Durable when it has a `seq`: the job itself
    failed; else it answers a request, about `job` if it names one.

    Attributes:
        retryable: whether nothing is over by it: a greeting may be tried again, a job goes on.
    """

    t: ClassVar[str] = "error"
    code: Annotated[str, Like("|".join(c.value for c in ErrorCode))]
    message: Words
    hint: Words = ""
    retryable: bool = False
    job: Annotated[str, Most(36)] = ""
    seq: Count = 0


@dataclass(frozen=True)
class Waiting(Message):
    """How many jobs come before this one."""

    t: ClassVar[str] = "waiting"
    job: JobId
    seq: Count
    position: Count


@dataclass(frozen=True)
class Progress(Message):
    """The newest step's figures; older ones may never arrive."""

    t: ClassVar[str] = "progress"
    job: JobId
    seq: Count
    step: Count
    total: Count
    losses: dict[str, Any]
    it_per_s: Annotated[float, Within(0, 1e9)] = 0.0
    eta_s: Annotated[float, Within(0, 1e9)] = 0.0


@dataclass(frozen=True)
class StrokesFrame(Message):
    """Binary: the newest strokes (`strokes`), whole or as steps from the frame `base`.

    Attributes:
        at: when the step ended, in seconds of the worker's monotonic clock; for measuring.
    """

    t: ClassVar[str] = "strokes"
    job: JobId
    seq: Count
    step: Count
    canvas: Canvas
    base: Count = 0
    at: Annotated[float, Within(0, 1e12)] = 0.0


@dataclass(frozen=True)
class RasterFrame(Message):
    """Binary: the newest picture, encoded."""

    t: ClassVar[str] = "raster"
    job: JobId
    seq: Count
    step: Count
    canvas: Canvas
    mime: Annotated[str, Most(40)]


@dataclass(frozen=True)
class Done(Message):
    """Binary: a result's files as buffers ("svg", "png"), and how it came about.

    Attributes:
        state: "cancelled" if it was stopped and what there was is kept.
    """

    t: ClassVar[str] = "done"
    job: JobId
    seq: Count
    about: dict[str, Any]
    state: Annotated[str, Like("done|cancelled")] = "done"
    step: Count = 0


@dataclass(frozen=True)
class Jobs(Message):
    """The answer to `list`."""

    t: ClassVar[str] = "jobs"
    jobs: Annotated[tuple[dict[str, Any], ...], Most(100)]


@dataclass(frozen=True)
class Described(Message):
    """The answer to `describe`."""

    t: ClassVar[str] = "described"
    job: JobId
    about: dict[str, Any]


@dataclass(frozen=True)
class Forgotten(Message):
    """Jobs that are no more, and why: someone asked, or their room was needed."""

    t: ClassVar[str] = "forgotten"
    jobs: Annotated[tuple[JobId, ...], Most(1000)]
    why: Annotated[str, Like("asked|room")]


@dataclass(frozen=True)
class Invited(Message):
    """The answer to `invite`: good for one hello within a minute."""

    t: ClassVar[str] = "invited"
    ticket: Annotated[str, Most(200)]


@dataclass(frozen=True)
class Pong(Message):
    """The answer to `ping`."""

    t: ClassVar[str] = "pong"
    n: Count = 0


# --- inside the backend ----------------------------------------------------------------------


@dataclass(frozen=True)
class Leave(Message):
    """Save where the job stands and make room for another; it goes on later, or elsewhere."""

    t: ClassVar[str] = "leave"
    job: JobId


TO_BACKEND: tuple[type[Message], ...] = (
    Hello, Submit, Watch, Unwatch, Ack, Cancel, Pause, Resume, Adjust, ListJobs, Fetch, Describe,
    Forget, Invite, Ping,
)  # fmt: skip
TO_BACKEND_BINARY: tuple[type[Message], ...] = (Blob,)
TO_CLIENT: tuple[type[Message], ...] = (
    Welcome, BlobOk, Taken, State, Adjusted, Notice, Failed, Waiting, Progress, Jobs, Described,
    Forgotten, Invited, Pong,
)  # fmt: skip
TO_CLIENT_BINARY: tuple[type[Message], ...] = (StrokesFrame, RasterFrame, Done, Blob)
DURABLE = frozenset({"state", "adjusted", "notice", "error", "done"})  # when they have a seq
LATEST_WINS = frozenset({"waiting", "progress", "strokes", "raster"})  # acknowledged when shown
