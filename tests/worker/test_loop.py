"""The loop with the real methods: every way in which a run can go and end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from limner.methods import clipdraw3d
from limner.methods.base import Inputs, Models
from limner.methods.clipdraw import ClipDraw, Params
from limner.methods.schema import read
from limner.vector.svg import read_svg
from limner.worker import loop
from limner.worker.checkpoint import from_bytes
from limner.worker.loop import Control, Every, Run, Task
from limner_wire import messages as m
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.frames import Buffer, decode
from limner_wire.strokes import Strokes

JOB = "123e4567-e89b-42d3-a456-426614174000"
CPU = torch.device("cpu")
PARAMS = Params("a cat", steps=8, strokes=6, cutouts=2, tidy=False)


class Log:
    """What a run says and keeps."""

    def __init__(self) -> None:
        self.said: list[tuple[m.Message, list[Buffer]]] = []
        self.kept: list[tuple[str, int, bytes]] = []
        self.on_step: Callable[[int], None] = lambda step: None

    def emit(self, message: m.Message, buffers: list[Buffer]) -> None:
        self.said.append((message, buffers))
        if isinstance(message, m.Progress):
            self.on_step(message.step)

    def keep(self, job: str, what: str, step: int, data: bytes) -> None:
        assert job == JOB
        self.kept.append((what, step, data))

    def all(self, kind: type[m.Message]) -> list[Any]:
        return [message for message, _ in self.said if isinstance(message, kind)]

    @property
    def states(self) -> list[str]:
        return [s.state for s in self.all(m.State)]

    def svg(self) -> bytes:
        ((_, files),) = [x for x in self.said if isinstance(x[0], m.Done)]
        return bytes(files[0].data)


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is shown and saved, so that what is tested does not depend on the clock."""
    for name in ("FRAMES_A_S", "FIGURES_A_S"):
        monkeypatch.setattr(loop, name, 1e9)
    monkeypatch.setattr(loop, "CHECKPOINT_S", 1e-9)


@pytest.fixture
def task(starter: Models) -> Task:
    return Task(JOB, "clipdraw", PARAMS, Inputs((48, 64)), starter, CPU)


def gone(task: Task, control: Control | None = None, log: Log | None = None) -> Log:
    log = log or Log()
    Run(task, control or Control(), log.emit, log.keep).go()
    return log


def test_a_run_says_all_that_there_is_to_say(task: Task) -> None:
    log = gone(task)
    assert log.states == ["running"]
    assert [p.step for p in log.all(m.Progress)] == list(range(1, 9))
    assert all(p.total == 8 and p.losses["loss"] < 0 for p in log.all(m.Progress))
    frames = [(f, b) for f, b in log.said if isinstance(f, m.StrokesFrame)]
    assert len(frames) == 8
    strokes = Strokes.read({b.name: b for b in frames[-1][1]}, frames[-1][0].canvas)
    assert strokes.canvas == (64, 48) and len(strokes) == 6
    (done,) = log.all(m.Done)
    assert done.state == "done" and done.about["settings"]["prompt"] == "a cat"
    assert log.svg().startswith(b"<?xml")
    assert [decode(d).header["step"] for w, _, d in log.kept if w == "frame"] == list(range(1, 9))


def test_the_frames_are_the_drawing(task: Task, starter: Models) -> None:
    log = gone(task)
    state = ClipDraw().setup(PARAMS, task.inputs, starter, CPU)
    for _ in range(8):
        preview = ClipDraw().step(state, PARAMS)
    drawn = preview.strokes.points.detach()
    head, buffers = [x for x in log.said if isinstance(x[0], m.StrokesFrame)][-1]
    assert isinstance(head, m.StrokesFrame)
    sent = Strokes.read({b.name: b for b in buffers}, head.canvas)
    points = torch.tensor([p for stroke in sent for p in stroke.points])
    inside = (drawn > -10).all(1) & (drawn < 60).all(1)
    assert inside.any() and (points - drawn)[inside].abs().max() < 0.001
    widths = torch.tensor([stroke.width for stroke in sent])
    torch.testing.assert_close(widths, preview.strokes.width.detach(), atol=0.001, rtol=0)


def test_a_drawing_in_space_keeps_its_depth_in_frames_checkpoints_and_svg(task: Task) -> None:
    params = clipdraw3d.Params("a cat", ("90: a dog",), steps=6, strokes=5, cutouts=2, tidy=False)
    deep = replace(task, method="clipdraw3d", params=params)
    log = gone(deep)
    frames = [b for f, b in log.said if isinstance(f, m.StrokesFrame)]
    shown = [Strokes.read({b.name: b for b in buffers}, (64, 48)) for buffers in frames]
    assert len(shown) == 6
    result = read_svg(log.svg(), (48, 64))
    assert result.depth is not None and len(shown[-1]) == result.count
    # the last frame is the result; on the wire a depth is 64 px / 43690 exact, in the SVG 0.005 px
    depths = torch.tensor(shown[-1].depths())
    torch.testing.assert_close(depths, result.depth, atol=0.01, rtol=0)
    saved = next(data for what, step, data in log.kept if (what, step) == ("checkpoint", 3))
    found = from_bytes(saved, CPU)
    again = replace(deep, params=read(clipdraw3d.Params, found.params), saved=found.tensors)
    assert gone(again).svg() == log.svg()


def test_nothing_is_encoded_for_nobody(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(watched=False)
    log = gone(task, control)
    assert not log.all(m.Progress) and not log.all(m.StrokesFrame)
    assert len([1 for what, _, _ in log.kept if what == "frame"]) == 8  # for the replay


@pytest.mark.parametrize("keep", [True, False])
def test_cancelling_ends_it_before_the_next_step(task: Task, keep: bool) -> None:
    control, log = Control(), Log()
    log.on_step = lambda step: control.cancel(keep=keep) if step == 3 else None
    gone(task, control, log)
    assert [p.step for p in log.all(m.Progress)] == [1, 2, 3]
    assert log.states == (["running"] if keep else ["running", "cancelled"])
    assert [d.state for d in log.all(m.Done)] == (["cancelled"] if keep else [])


def test_a_run_that_was_paused_ends_as_one_that_was_not(task: Task) -> None:
    control, log = Control(), Log()
    log.on_step = lambda step: control.pause() if step == 3 else None
    runner = threading.Thread(target=gone, args=(task, control, log))
    runner.start()
    for _ in range(1000):
        if "paused" in log.states:
            break
        runner.join(0.01)
    assert log.states == ["running", "paused"] and runner.is_alive()
    assert ("checkpoint", 3) in [(w, s) for w, s, _ in log.kept]
    control.resume()
    runner.join(60)
    assert log.states == ["running", "paused", "running"]
    assert log.svg() == gone(task).svg()


def test_a_paused_run_can_be_cancelled(task: Task) -> None:
    control, log = Control(), Log()
    control.pause()
    runner = threading.Thread(target=gone, args=(task, control, log))
    runner.start()
    control.cancel(keep=False)
    control.pause()  # too late: it is over
    runner.join(60)
    assert not runner.is_alive() and log.states[-1] == "cancelled"


def test_settings_change_from_the_next_step_on(task: Task) -> None:
    control, log = Control(), Log()

    def change(step: int) -> None:
        if step == 3:
            control.adjust({"prompt": "a dog", "ink": 0.5})
        if step == 5:
            control.adjust({"steps": 99})
            control.adjust({"ink": -1})

    log.on_step = change
    gone(task, control, log)
    (told,) = log.all(m.Adjusted)
    assert told.step == 4 and told.params == {"prompt": "a dog", "ink": 0.5}
    assert [(f.code, f.retryable) for f in log.all(m.Failed)] == [("bad_input", True)] * 2
    (done,) = log.all(m.Done)
    assert done.about["settings"]["prompt"] == "a dog" and done.state == "done"
    assert log.svg() != gone(task).svg()


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_run_taken_up_from_a_checkpoint_ends_the_same(task: Task, stop: int) -> None:
    def changing() -> Log:
        log, control = Log(), Control()
        log.on_step = lambda step: control.adjust({"ink": 0.5}) if step == 3 else None
        return gone(task, control, log)

    whole = changing()
    (data,) = [d for what, step, d in whole.kept if what == "checkpoint" and step == stop]
    found = from_bytes(data, CPU)
    params = read(Params, found.params)
    log, control = Log(), Control()
    log.on_step = lambda step: control.adjust({"ink": 0.5}) if step == 3 else None
    gone(replace(task, params=params, saved=found.tensors), control, log)
    assert [p.step for p in log.all(m.Progress)] == list(range(stop + 1, 9))
    assert log.svg() == whole.svg()


def test_numbers_that_left_all_bounds_end_it_with_what_it_has(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ClipDraw.step

    def step(self: ClipDraw, state: Any, params: Any) -> Any:
        if state.step == 4:
            raise LimnerError(ErrorCode.NOT_FINITE, "The numbers left all bounds.")
        return real(self, state, params)

    monkeypatch.setattr(ClipDraw, "step", step)
    log = gone(task)
    assert [(f.code, f.retryable) for f in log.all(m.Failed)] == [("not_finite", False)]
    (done,) = log.all(m.Done)
    assert done.about["settings"]["steps_done"] == 4


def test_what_cannot_begin_fails_in_words(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    log = gone(replace(task, params=replace(PARAMS, lock=True)))
    assert [f.code for f in log.all(m.Failed)] == ["bad_input"]
    assert log.states == ["error"]

    def out_of_memory(self: ClipDraw, state: Any, params: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(ClipDraw, "step", out_of_memory)
    log = gone(task)
    assert [f.code for f in log.all(m.Failed)] == ["oom"] and "cutouts" in log.all(m.Failed)[0].hint


def test_a_broken_checkpoint_is_none() -> None:
    for data in (b"", b"x" * 100, (2**40).to_bytes(8, "little") + b"{}"):
        with pytest.raises(ValueError):
            from_bytes(data, CPU)


def test_so_many_times_a_second() -> None:
    now = 0.0
    every = Every(10.0, lambda: now)
    assert every.is_due() and not every.is_due()
    now = 0.05
    assert not every.is_due()
    now = 0.11
    assert every.is_due()
