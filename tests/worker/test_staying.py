"""Pictures of pixels in the loop, and a method that stays after its last step."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from limner.methods.base import Inputs, Interactive, Models, Preview, Result
from limner.methods.params import Adjustable, Help, Range, check
from limner.methods.schema import read
from limner.worker import loop
from limner.worker.checkpoint import from_bytes
from limner.worker.encode import encoded
from limner.worker.loop import Control, Run, Task
from limner_wire import messages as m
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.frames import Buffer, decode

JOB = "123e4567-e89b-42d3-a456-426614174000"
CPU = torch.device("cpu")
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Params:
    level: Annotated[float, Range(-1, 1), Adjustable(), Help("how bright it is")] = 0.6
    steps: Annotated[int, Range(0, 100), Help("iterations")] = 3
    seed: Annotated[int, Range(0, 100), Help("of nothing")] = 0
    stay: Annotated[bool, Help("whether it answers changes at the end")] = True


@dataclass
class State:
    params: Params
    size: tuple[int, int]
    sum: Tensor
    step: int = 0


class Grey:
    """A grey as bright as it is asked to be, once three steps have summed to 1."""

    name: ClassVar[str] = "grey"
    title: ClassVar[str] = "Grey"
    about: ClassVar[str] = "A grey picture."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    needs_models: ClassVar[bool] = False

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        check(params)
        return State(params, inputs.size, torch.zeros((), device=device))

    def step(self, state: State, params: Params) -> Preview:
        state.step += 1
        state.sum += 1 / params.steps
        return self.show(state, params)

    def show(self, state: State, params: Params) -> Preview:
        if params.level < 0:
            raise LimnerError(ErrorCode.BAD_INPUT, "There is no darkness below black.")
        state.params = params
        losses = {"sum": state.sum}
        return Preview(state.step, params.steps, None, losses, paint=lambda: self._paint(state))

    def _paint(self, state: State) -> Tensor:
        return (state.sum * state.params.level).expand(3, *state.size)

    def result(self, state: State) -> Result:
        about = {"prompt": "grey", "seed": 0, "level": state.params.level}
        return Result(None, state.size, None, 0.0, about, self._paint(state))

    def save(self, state: State) -> dict[str, Tensor]:
        return {"sum": state.sum.clone(), "step": torch.tensor(state.step)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        state.sum, state.step = saved["sum"].clone(), int(saved["step"])


class Gradual(Grey):
    """One whose answers take four looks."""

    LOOKS: ClassVar[int] = 4

    def __init__(self) -> None:
        self.look = self.LOOKS

    def step(self, state: State, params: Params) -> Preview:
        state.step += 1
        state.sum += 1 / params.steps
        return super().show(state, params)

    def show(self, state: State, params: Params) -> Preview:
        self.look = 1 if params != state.params else min(self.look + 1, self.LOOKS)
        return replace(super().show(state, params), step=self.look, total=self.LOOKS)


class Log:
    """What a run says and keeps, from another thread."""

    def __init__(self) -> None:
        self.said: list[tuple[float, m.Message, list[Buffer]]] = []
        self.kept: list[tuple[str, int, bytes]] = []
        self._news = threading.Condition()

    def emit(self, message: m.Message, buffers: list[Buffer]) -> None:
        with self._news:
            self.said.append((time.monotonic(), message, buffers))
            self._news.notify_all()

    def keep(self, job: str, what: str, step: int, data: bytes) -> None:
        with self._news:
            self.kept.append((what, step, data))
            self._news.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, PATIENCE_S)

    def all(self, kind: type[m.Message]) -> list[Any]:
        return [message for _, message, _ in self.said if isinstance(message, kind)]

    def greys(self) -> list[int]:
        """The brightness of each frame that was shown, 0 to 255."""
        frames = [buffers for _, f, buffers in self.said if isinstance(f, m.RasterFrame)]
        return [grey(bytes(buffers[0].data)) for buffers in frames]

    @property
    def states(self) -> list[str]:
        return [s.state for s in self.all(m.State)]


def grey(data: bytes) -> int:
    return int(np.asarray(Image.open(io.BytesIO(data)))[0, 0, 0])


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loop.METHODS, "grey", Grey())
    for name in ("FRAMES_A_S", "FIGURES_A_S"):
        monkeypatch.setattr(loop, name, 1e9)
    monkeypatch.setattr(loop, "SETTLED_S", 0.05)


class Going:
    """A run on a thread, which is dropped at the end if it goes on."""

    def __init__(self, task: Task) -> None:
        self.control, self.log = Control(), Log()
        run = Run(task, self.control, self.log.emit, self.log.keep)
        self.run, self.thread = run, threading.Thread(target=run.go)
        self.thread.start()

    def over(self) -> None:
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def waits(self) -> None:
        """Until it waits for changes."""
        self.log.until(lambda: any(s.stays for s in self.log.all(m.State)))


TASK = Task(JOB, "grey", Params(), Inputs((48, 64)), Models(), CPU)


def test_a_picture_is_a_frame_and_a_result_of_its_own() -> None:
    going = Going(replace(TASK, params=Params(stay=False)))
    going.over()
    log = going.log
    assert log.states == ["running"] and log.greys() == [51, 102, 153]
    (head, *_) = log.all(m.RasterFrame)
    assert head.canvas == (64, 48) and head.mime == "image/png"
    kept = [decode(data).header for what, _, data in log.kept if what == "frame"]
    assert [head["t"] for head in kept] == ["raster"] * 3
    assert [head["step"] for head in kept] == [1, 2, 3]
    ((_, done, files),) = [x for x in log.said if isinstance(x[1], m.Done)]
    assert [b.name for b in files] == ["png"] and done.state == "done"
    assert done.about["settings"]["level"] == 0.6 and "strokes" not in done.about
    with Image.open(io.BytesIO(bytes(files[0].data))) as picture:
        assert picture.size == (64, 48)
        assert json.loads(picture.text["limner"]) == done.about
        assert picture.text["Title"] == "grey"


def test_nothing_is_made_for_nobody() -> None:
    painted = []

    class Counting(Grey):
        def _paint(self, state: State) -> Tensor:
            painted.append(state.step)
            return super()._paint(state)

    loop.METHODS["grey"] = Counting()
    control, log = Control(watched=False), Log()
    params = Params(steps=100, stay=False)
    Run(replace(TASK, params=params), control, log.emit, log.keep).go()
    assert not log.all(m.RasterFrame) and 48 <= len(painted) <= 52  # key frames, and the result


def test_it_stays_and_answers_each_change_at_once_until_it_is_kept() -> None:
    assert isinstance(Grey(), Interactive)
    going = Going(TASK)
    going.waits()
    control, log = going.control, going.log
    assert log.states == ["running", "paused"] and log.all(m.State)[-1].step == 3
    waits = []
    for n, level in enumerate((0.2, 0.8, 1.0)):
        began = time.monotonic()
        control.adjust({"level": level})
        log.until(lambda n=n: len(log.greys()) == 5 + n)  # type: ignore[misc]
        waits.append(log.said[-1][0] - began)
    assert log.greys()[-3:] == [51, 204, 255] and min(waits) < 0.02
    assert [a.step for a in log.all(m.Adjusted)] == [4, 4, 4]
    assert log.all(m.RasterFrame)[-1].step == 3
    control.cancel(keep=True)
    going.over()
    assert log.states == ["running", "paused"]
    (done,) = log.all(m.Done)
    assert done.state == "done" and done.about["settings"]["level"] == 1.0


def test_a_method_may_take_more_steps_than_it_is_told() -> None:
    class Longer(Grey):
        def setup(self, *given: Any) -> Any:
            state = super().setup(*given)
            state.total = 5  # type: ignore[attr-defined]
            return state

        def step(self, state: State, params: Params) -> Preview:
            return replace(super().step(state, params), total=5)

    loop.METHODS["grey"] = Longer()
    going = Going(replace(TASK, params=Params(stay=False)))
    going.over()
    assert [f.step for f in going.log.all(m.RasterFrame)] == [1, 2, 3, 4, 5]


def test_an_answer_that_takes_several_looks_is_shown_look_by_look() -> None:
    loop.METHODS["grey"] = Gradual()
    going = Going(TASK)
    going.waits()
    control, log = going.control, going.log
    log.until(lambda: len(log.greys()) == 4)  # three steps, and what it stays at
    control.adjust({"level": 0.2})
    log.until(lambda: len(log.greys()) == 8)
    assert log.greys()[4:] == [51] * 4
    time.sleep(0.1)
    assert len(log.greys()) == 8, "then it rests"
    assert {f.step for f in log.all(m.RasterFrame)[4:]} == {3}
    control.cancel(keep=True)
    going.over()


def test_what_is_changed_just_before_it_is_kept_is_kept() -> None:
    for method in (Grey(), Gradual()):
        loop.METHODS["grey"] = method
        going = Going(TASK)
        going.waits()
        for level in (0.2, 0.8, 1.0):
            going.control.adjust({"level": level})
        going.control.cancel(keep=True)
        going.over()
        (done,) = going.log.all(m.Done)
        assert done.state == "done" and done.about["settings"]["level"] == 1.0


def test_while_it_waits_it_does_nothing() -> None:
    going = Going(TASK)
    going.waits()
    moves, said = going.run.moves, len(going.log.said)
    began = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - began < 0.1
    assert (going.run.moves, len(going.log.said)) == (moves, said)
    going.control.cancel(keep=False)
    going.over()
    assert going.log.states == ["running", "paused", "cancelled"] and not going.log.all(m.Done)


def test_changes_that_come_together_are_answered_once_with_the_last() -> None:
    control, log = Control(), Log()
    run = Run(TASK, control, log.emit, log.keep)
    said: list[int] = []

    def emit(message: m.Message, buffers: list[Buffer]) -> None:
        log.emit(message, buffers)
        if isinstance(message, m.State) and message.stays and not said:
            said.append(1)
            for level in (0.1, 0.2, 0.8):
                control.adjust({"level": level})
        if isinstance(message, m.RasterFrame) and grey(bytes(buffers[0].data)) == 204:
            control.cancel(keep=True)

    run._emit = emit
    run.go()
    assert log.greys()[4:] == [204] and len(log.all(m.Adjusted)) == 3


def test_a_change_that_makes_no_picture_is_taken_back() -> None:
    going = Going(TASK)
    going.waits()
    going.control.adjust({"level": 0.8})
    going.control.adjust({"level": -0.5})
    going.log.until(lambda: bool(going.log.all(m.Failed)))
    going.control.adjust({"level": -1})
    going.log.until(lambda: len(going.log.all(m.Failed)) == 2)
    going.control.cancel(keep=True)
    going.over()
    (done,) = going.log.all(m.Done)
    changes = [a.params["level"] for a in going.log.all(m.Adjusted)]
    assert changes[-1] == done.about["settings"]["level"] in (0.6, 0.8)
    assert done.state == "done"


def test_whoever_pauses_or_resumes_it_gets_an_answer() -> None:
    going = Going(TASK)
    going.waits()
    for n, command in enumerate((going.control.pause, going.control.resume)):
        command()
        going.log.until(lambda n=n: len(going.log.states) == 3 + n)  # type: ignore[misc]
    going.control.pause()
    going.control.adjust({"level": 1.0})
    going.log.until(lambda: going.log.greys()[-1] == 255)
    assert set(going.log.states[1:]) == {"paused"}
    going.control.cancel(keep=True)
    going.over()


def test_it_makes_way_and_comes_back_to_the_same_picture() -> None:
    going = Going(TASK)
    going.waits()
    going.control.adjust({"level": 0.8})
    going.log.until(lambda: going.log.greys()[-1] == 204)
    going.control.leave()
    going.over()
    assert going.log.states == ["running", "paused"] and not going.log.all(m.Done)
    _, step, data = [k for k in going.log.kept if k[0] == "checkpoint"][-1]
    assert step == 3
    frames = [data for what, _, data in going.log.kept if what == "frame"]
    assert grey(bytes(decode(frames[-1]).buffers["picture"].data)) == 204
    found = from_bytes(data, CPU)
    again = replace(TASK, params=read(Params, found.params), saved=found.tensors)
    # changes since the checkpoint, and those that it knows already, come with the order
    back = Going(replace(again, adjusted=((4, {"level": 0.4}),)))
    back.waits()
    assert back.log.greys() == [102]
    back.control.cancel(keep=True)
    back.over()
    assert back.log.all(m.Done)[0].about["settings"]["level"] == 0.4
    ending = Control()
    ending.cancel(keep=True)  # it had left, and was told to end
    log = Log()
    Run(again, ending, log.emit, log.keep).go()
    (done,) = log.all(m.Done)
    assert done.state == "done" and done.about["settings"]["level"] == 0.8


def test_stopping_it_before_its_last_step_is_stopping_it() -> None:
    control, log = Control(), Log()
    control.cancel(keep=True)
    Run(TASK, control, log.emit, log.keep).go()
    assert [d.state for d in log.all(m.Done)] == ["cancelled"]


@pytest.mark.parametrize(
    ("side", "mime", "within"), [(64, "image/png", 0.5), (256, "image/png", 0.5),
                                 (300, "image/jpeg", 8), (1500, "image/jpeg", 12)],
)  # fmt: skip
def test_live_pictures_are_small(side: int, mime: str, within: float) -> None:
    ramp = torch.linspace(0, 1, side)
    image = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side),
                         torch.full((side, side), 0.5)])  # fmt: skip
    kind, data = encoded(image)
    shown = np.asarray(Image.open(io.BytesIO(data)), dtype=np.float32)
    assert kind == mime and shown.shape[:2] == (min(side, 1024),) * 2 and len(data) < 2**20
    wanted = torch.nn.functional.interpolate(
        image[None], shown.shape[:2], mode="bilinear", antialias=True
    )[0]
    assert np.abs(shown - wanted.permute(1, 2, 0).numpy() * 255).max() <= within


def test_numbers_that_are_none_are_shown_as_black() -> None:
    _, data = encoded(torch.full((3, 8, 8), float("nan")))
    assert grey(data) == 0
