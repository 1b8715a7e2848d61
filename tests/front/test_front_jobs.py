"""What is known of a drawing, message by message; no Qt, no socket."""

from __future__ import annotations

import random

import pytest

from limner_front import words
from limner_front.jobs import CURVE_POINTS, KEPT, History, Job, Request
from limner_wire import messages as m
from limner_wire.frames import Buffer
from limner_wire.session import Heard
from limner_wire.strokes import Stroke, Strokes


def job() -> Job:
    return Job(Request("clipdraw", {"prompt": "a cat", "seed": 5}, (224, 224), ("starter",)))


def tell(told: Job, message: m.Message, **files: bytes) -> Job:
    buffers = {n: Buffer(n, "u8", (len(d),), d) for n, d in files.items()}
    told.tell(Heard(message, buffers))
    return told


def test_a_drawing_goes_from_sending_to_done() -> None:
    one = job()
    assert one.state == "sending" and not one.is_over
    assert one.submit() == m.Submit(
        one.id, "clipdraw", {"prompt": "a cat", "seed": 5}, (224, 224), {}, ("starter",)
    )
    tell(one, m.State(one.id, 1, "queued", position=2))
    assert (one.state, one.position) == ("queued", 2)
    tell(one, m.Waiting(one.id, 1, 1))
    assert one.position == 1
    for seq, state in enumerate(("loading", "running"), 2):
        tell(one, m.State(one.id, seq, state))
    assert one.is_live
    tell(one, m.Progress(one.id, 3, 10, 250, {"loss": -0.5, "nearness": 0.1}, 20.0, 12.0))
    assert (one.step, one.total, one.rate, one.left) == (10, 250, 20.0, 12.0)
    about = {"seed": 5, "score": 0.3, "settings": {"steps_done": 240}, "version": "1"}
    tell(one, m.Done(one.id, 9, about), svg=b"<svg/>", png=b"png")
    assert one.is_over and one.is_kept and one.step == 240
    assert one.result is not None and (one.result.svg, one.result.png) == (b"<svg/>", b"png")
    saved = one.about()
    assert (saved["prompt"], saved["seed"], saved["score"]) == ("a cat", 5, 0.3)
    assert saved["params"] == {"prompt": "a cat", "seed": 5} and saved["models"] == ["starter"]


def test_a_change_is_part_of_its_settings() -> None:
    one = tell(job(), m.Adjusted("x", 2, 40, {"prompt": "a dog"}))
    assert one.prompt == "a dog" and one.confirmed == (40, {"prompt": "a dog"})
    assert one.about()["params"] == {"prompt": "a dog", "seed": 5}


def test_frames_are_the_newest() -> None:
    one = job()
    strokes = Strokes.of([Stroke([(1, 1), (2, 2), (3, 3), (4, 4)], 2, (0, 0, 0, 255))], (64, 48))
    one.tell(Heard(m.StrokesFrame(one.id, 1, 3, (64, 48)), strokes=strokes))
    assert one.strokes is strokes and one.frames_heard == 1
    tell(one, m.RasterFrame(one.id, 2, 4, (64, 48), "image/jpeg"), image=b"jpeg")
    assert one.raster == (b"jpeg", "image/jpeg") and one.frames_heard == 2


def test_an_edit_stays_until_it_is_kept() -> None:
    """A change that can't be is no end of it, and the reason is still there when the backend has
    taken it back."""
    one = tell(job(), m.State("x", 3, "running"))
    assert not one.stays
    tell(one, m.State("x", 4, "paused", step=6, note="It answers.", stays=True))
    assert one.stays and words.state(one) == "Ready to keep"
    assert words.figures(one, is_ready=True).endswith("until you keep it.")
    tell(one, m.Failed("bad_input", "They mean the same.", retryable=True))
    tell(one, m.Adjusted("x", 6, 7, {"prompt": "a cat"}))
    assert one.stays and one.state == "paused" and one.failure == "They mean the same."
    one.asked = "keep"
    assert words.state(one) == "Keeping it…"
    tell(one, m.Done("x", 7, {}), png=b"png")
    assert not one.stays and words.state(one) == "Done" and not one.failure
    assert one.result is not None and one.result.svg == b""


@pytest.mark.parametrize(
    ("state", "failed", "after"),
    [
        ("sending", m.Failed("bad_input", "It is wrong."), "error"),  # the submit was refused
        ("running", m.Failed("oom", "Too little memory.", seq=4), "error"),  # the job failed
        ("running", m.Failed("bad_input", "It can't change."), "running"),  # an adjustment was
        ("running", m.Failed("unknown_job", "It was deleted."), "error"),
        ("done", m.Failed("busy", "It is over already."), "done"),
    ],
)
def test_a_failure_is_of_the_drawing_or_of_a_command(
    state: str, failed: m.Failed, after: str
) -> None:
    one = job()
    one.state, one.asked = state, "keep"
    tell(one, failed)
    assert one.state == after
    assert (one.failure == failed.message) == (state != "done")


def test_a_command_is_under_way_until_a_state_is_told() -> None:
    one = job()
    one.asked = "pause"
    assert tell(one, m.State(one.id, 4, "paused", step=7)).asked == "" and one.step == 7


def test_curves_stay_short_and_in_order() -> None:
    one = job()
    for step in range(5 * CURVE_POINTS):
        tell(one, m.Progress(one.id, step, step, 9999, {"loss": float(step), "odd": "text"}))
    tell(one, m.Progress(one.id, 1, 3, 9999, {"loss": 0.0}))  # late
    curve = one.losses["loss"]
    steps = [step for step, _value in curve]
    assert CURVE_POINTS / 2 <= len(curve) <= CURVE_POINTS and steps == sorted(set(steps))
    assert steps[0] == 0 and steps[-1] > 4.9 * CURVE_POINTS and list(one.losses) == ["loss"]


def test_any_order_of_messages_is_survived() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    kinds = [
        lambda j: m.State(j.id, 1, chance.choice(m.STATES)),
        lambda j: m.Progress(j.id, 1, chance.randrange(99), 99, {"loss": chance.random()}),
        lambda j: m.Adjusted(j.id, 1, 3, {"prompt": "x"}),
        lambda j: m.Notice(j.id, 1, "hm"),
        lambda j: m.Failed("busy", "No.", job=j.id, seq=chance.randrange(2)),
        lambda j: m.Done(j.id, 1, {"settings": chance.choice([{}, None, {"steps_done": "x"}])}),
        lambda j: m.Pong(1),
    ]
    one = job()
    for _ in range(500):
        tell(one, chance.choice(kinds)(one))
        assert one.state in {"sending", *m.STATES} and isinstance(one.about()["settings"], object)


def test_the_history_forgets_the_oldest_that_are_over() -> None:
    history, running = History(), job()
    history.add(running)
    ended = [job() for _ in range(KEPT)]
    gone = []
    for one in ended:
        one.state = "done"
        gone += history.add(one)
    assert gone == ended[:1] and len(history) == KEPT
    assert next(iter(history)) is ended[-1] and history.get(running.id) is running
    history.remove(running)
    assert history.get(running.id) is None
