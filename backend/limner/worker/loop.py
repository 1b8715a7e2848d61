"""The one loop in which every method runs.

It does, once for all of them, what is the same: cancelling, pausing, settings that change between
steps, checkpoints, frames that are encoded only when someone watches and not more often than a
screen can show, figures, running out of memory, and numbers that left all bounds. A method does one
step at a time and knows nothing of that.

Commands come through a `Control` from any thread; what happens goes out through `emit`, from this
one. Both are the wire's own messages, so that no second vocabulary is needed.

An interactive method stays after its last step: each change of its settings is answered with a
picture at once, as long as the artist likes. It then counts as paused, so that it makes way for
other jobs; to stop and keep it is its proper end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from limner.methods.base import Inputs, Interactive, Method, Models, Preview
from limner.methods.registry import METHODS
from limner.methods.schema import adjusted, halved
from limner.models import networks
from limner.worker.checkpoint import Checkpoint
from limner.worker.control import Control
from limner.worker.encode import Frame, frame, result_files
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.frames import Buffer, encode
from limner_wire.messages import (
    Adjusted,
    Done,
    Failed,
    Message,
    Notice,
    Progress,
    State,
)

FRAMES_A_S = 20.0
FIGURES_A_S = 10.0
CHECKPOINT_S = 10.0
KEY_FRAMES = 48  # kept of each run, for its replay
SETTLED_S = 1.0  # without a change, then what an interactive method shows is kept
STAYS = "It answers every change, until you keep it."

Emit = Callable[[Message, list[Buffer]], None]
Keep = Callable[[str, str, int, bytes], None]  # job, "checkpoint" or "frame", step, bytes


@dataclass(frozen=True, slots=True)
class Task:
    """A job that is ready to run: everything is read and checked.

    Attributes:
        saved: where an earlier run of it stood.
        adjusted: what was adjusted after that, and from which step on.
    """

    job: str
    method: str
    params: Any
    inputs: Inputs
    models: Models
    device: torch.device
    saved: Mapping[str, torch.Tensor] | None = None
    adjusted: Sequence[tuple[int, Mapping[str, Any]]] = ()


class Every:
    """At most so many times a second."""

    def __init__(self, times_a_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap, self._clock, self._next = 1 / times_a_s, clock, -1.0

    def is_due(self) -> bool:
        """Whether it is time; it then is not, for a while."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._gap
        return True


class Run:
    """One task from its set-up to its end.

    Args:
        emit: takes every message about the task, with buffers where it is binary.
        keep: takes checkpoints and key frames, to be kept with the job.
    """

    def __init__(self, task: Task, control: Control, emit: Emit, keep: Keep) -> None:
        self.task, self.control = task, control
        self._emit, self._keep = emit, keep
        self._method: Method[Any, Any] = METHODS[task.method]
        self._params = task.params
        self._step = 0
        self.moves = 0  # grows with every step: what a watchdog looks at
        self._frames, self._figures = Every(FRAMES_A_S), Every(FIGURES_A_S)
        self._checkpoints = Every(1 / CHECKPOINT_S)
        self._checkpoints.is_due()  # the first is due after a while, not at once
        self._last_key = 0
        self._replayed = list(task.adjusted)
        self._has_shrunk = False
        self._begun, self._steps_before = 0.0, 0
        self._shown: Frame | None = None  # of an interactive method that stays

    def go(self) -> None:
        """Run it; what happens is told by `emit`, failures too."""
        try:
            state = self._set_up()
            self._state("running")
            end = self._loop(state)
            if not end and isinstance(self._method, Interactive) and self._params.stay:
                end = self._stay(self._method, state)
                end = "" if end == "keep" else end
            if end == "leave":
                self.checkpoint(state)
                return
            if end == "drop":
                self._state("cancelled")
                return
            self._finish(state, "cancelled" if end == "keep" else "done")
        except LimnerError as problem:
            self._fail(problem)
        except torch.AcceleratorError:
            raise  # the device is lost to this process
        except RuntimeError as problem:
            if not _is_out_of_memory(problem):
                raise
            self._free()
            self._fail(
                LimnerError(
                    ErrorCode.OUT_OF_MEMORY,
                    "The device has too little memory for this.",
                    "Use fewer cutouts or strokes, or a smaller model.",
                )
            )

    def _set_up(self) -> Any:
        task = self.task
        state = self._method.setup(self._params, task.inputs, task.models, task.device)
        if task.saved is not None:
            self._method.restore(state, task.saved)
            self._step = self._last_key = int(task.saved["step"])
        else:
            for text in getattr(state, "notices", None) or ():
                self._notice(text)
        self._begun, self._steps_before = time.monotonic(), self._step
        return state

    def _loop(self, state: Any) -> str:
        """Step until the end: "" when done, else how it was cancelled."""
        total = getattr(state, "total", self._params.steps)
        while self._step < total:
            self._hold(state)
            if self.control.cancelled:
                return self.control.cancelled
            self._adjust()
            try:
                preview = self._stepped(state)
            except LimnerError as problem:
                if problem.code is not ErrorCode.NOT_FINITE:
                    raise
                self._say_failure(problem)  # what was drawn until then is kept
                return ""
            self._step, total = preview.step, preview.total
            self.moves += 1
            if preview.notice:
                self._notice(preview.notice)
            self._show(preview)
            if self._checkpoints.is_due():
                self.checkpoint(state)
        return ""

    def _stepped(self, state: Any) -> Preview:
        """One step; when memory runs out, once more with less."""
        try:
            return self._method.step(state, self._params)
        except RuntimeError as problem:
            change = halved(self._params) if _is_out_of_memory(problem) else {}
            if not change or self._has_shrunk:
                raise
        self._has_shrunk = True
        self._free()
        self._params = adjusted(self._params, change)
        self._emit(Adjusted(self.task.job, 0, self._step + 1, change), [])
        names = ", ".join(f"{value} {name}" for name, value in change.items())
        self._notice(f"The device ran out of memory; it goes on with {names}.")
        return self._method.step(state, self._params)

    def _free(self) -> None:
        if self.task.device.type == "cuda":
            torch.cuda.empty_cache()

    def _hold(self, state: Any) -> None:
        if not self.control.is_paused:
            return
        self.checkpoint(state)
        self._state("paused")
        began = time.monotonic()
        self.control.wait()
        self._begun += time.monotonic() - began
        if not self.control.cancelled:
            self._state("running")

    def _stay(self, method: Interactive, state: Any) -> str:
        """Answer every change until the run is cancelled: how it was."""
        self._adjust()
        is_whole = self._answer(method, state, self._params)
        self._settle(state)
        self._state("paused", STAYS)
        is_settled = True
        while not self.control.cancelled:
            if is_whole and not self.control.hear(None if is_settled else SETTLED_S):
                self._settle(state)
                is_settled = True
                continue
            before = self._params
            self._adjust()
            if self._params != before or not is_whole:
                is_whole = self._answer(method, state, before)
                is_settled = False
            elif not self.control.cancelled:
                self._state("paused", STAYS)  # whoever paused or resumed it waits for a word
        if self.control.cancelled == "keep":  # with the changes that were made just before
            before = self._params
            self._adjust()
            if self._params != before:
                self._answer(method, state, before)
        if not is_settled:
            self._settle(state)
        return self.control.cancelled

    def _answer(self, method: Interactive, state: Any, before: Any) -> bool:
        """Show what comes of the settings, or a look at it: whether that is all. If nothing comes
        of them, go back to those `before`."""
        try:
            preview = method.show(state, self._params)
        except LimnerError as problem:
            self._say_failure(problem, goes_on=True)
            if before == self._params:
                return True
            was, now = asdict(before), asdict(self._params)
            back = {name: was[name] for name in was if was[name] != now[name]}
            self._params = before
            self._emit(Adjusted(self.task.job, 0, self._step + 1, back), [])
            return True
        self.moves += 1
        is_whole = preview.step >= preview.total
        preview = replace(preview, step=self._step, total=self._step)
        if preview.notice:
            self._notice(preview.notice)
        if self.control.watched:
            self._emit(self._progress(preview), [])
        if is_whole or (self.control.watched and self._frames.is_due()):
            self._shown = self._frame(preview)
            if self._shown is not None and self.control.watched:
                self._emit(*self._shown)
        return is_whole

    def _settle(self, state: Any) -> None:
        """Keep what is shown, so that whoever comes back finds it."""
        self.checkpoint(state)
        if self._shown is not None:
            self._keep_frame(self._shown)

    def _adjust(self) -> None:
        while self._replayed and self._replayed[0][0] <= self._step + 1:
            self._params = adjusted(self._params, dict(self._replayed.pop(0)[1]))
        while (change := self.control.next_adjustment()) is not None:
            try:
                self._params = adjusted(self._params, change)
            except LimnerError as problem:
                self._say_failure(problem, goes_on=True)
                continue
            self._emit(Adjusted(self.task.job, 0, self._step + 1, change), [])

    def _show(self, preview: Preview) -> None:
        at = time.monotonic()
        is_last = preview.step >= preview.total
        if self.control.watched and (self._figures.is_due() or is_last):
            self._emit(self._progress(preview), [])
        gap = max(1, preview.total // KEY_FRAMES)
        is_key = preview.step - self._last_key >= gap or preview.step == 1
        is_shown = self.control.watched and (self._frames.is_due() or is_last)
        if not (is_key or is_shown):
            return
        shown = self._frame(preview, at)
        if shown is None:
            return
        if is_shown:
            self._emit(*shown)
        if is_key:
            self._last_key = preview.step
            self._keep_frame(shown)

    def _frame(self, preview: Preview, at: float | None = None) -> Frame | None:
        at = time.monotonic() if at is None else at
        return frame(preview, self.task.job, self.task.inputs.size, at)

    def _keep_frame(self, shown: Frame) -> None:
        head, buffers = shown
        self._keep(self.task.job, "frame", head.step, encode(head.json(), buffers))

    def _progress(self, preview: Preview) -> Progress:
        seconds = max(1e-6, time.monotonic() - self._begun)
        rate = (preview.step - self._steps_before) / seconds
        losses = {k: v for k, value in preview.losses.items() if (v := float(value)) == v}
        eta = (preview.total - preview.step) / rate if rate else 0.0
        return Progress(self.task.job, 0, preview.step, preview.total, losses, rate, eta)

    def checkpoint(self, state: Any) -> None:
        """Keep where the run stands."""
        saved = Checkpoint(self.task.method, asdict(self._params), self._method.save(state))
        self._keep(self.task.job, "checkpoint", self._step, saved.to_bytes())

    def _finish(self, state: Any, end: str) -> None:
        result = self._method.result(state)
        files, about = result_files(result, self.task.inputs)
        if result.leave is not None:
            self._keep_model(about, result.leave)
        self._emit(Done(self.task.job, 0, about, end, self._step), files)

    def _keep_model(self, about: dict[str, Any], leave: Callable[[Path], object]) -> None:
        """Put what was made among the models; its name is told with the result."""
        try:
            about["kept_as"] = networks.kept(about["settings"]["called"], leave)
        except OSError as problem:
            self._notice(f"The generator could not be kept: {problem}.")
        else:
            self._notice(f"The generator is kept as {about['kept_as']}: edit with it, or adapt it.")

    def _notice(self, text: str) -> None:
        self._emit(Notice(self.task.job, 0, text[: limits.PROMPT_CHARS]), [])

    def _state(self, state: str, stays: str = "") -> None:
        said = State(self.task.job, 0, state, step=self._step, note=stays, stays=bool(stays))
        self._emit(said, [])

    def _fail(self, problem: LimnerError) -> None:
        self._say_failure(problem)
        self._state("error")

    def _say_failure(self, problem: LimnerError, *, goes_on: bool = False) -> None:
        words = (problem.message[: limits.PROMPT_CHARS], problem.hint[: limits.PROMPT_CHARS])
        said = Failed(problem.code.value, *words, retryable=goes_on, job=self.task.job)
        self._emit(said, [])


def _is_out_of_memory(problem: RuntimeError) -> bool:
    """Whether a device, or this machine, had no memory left; the CPU's allocator has no class."""
    return isinstance(problem, torch.OutOfMemoryError) or "can't allocate memory" in str(problem)
