"""Work that needs Krita's own loop in between, told as one story.

Krita hears of its layers' coming and going, and makes a new one the active one, only when its
event loop is reached again: neither `processEvents` nor `waitForDone` is enough. So such work is a
generator that yields what it waits for, and is sent whether that came true in time. Of one
document, one work is done after the other.

Krita changes the tree in threads of its own, and whatever waits for them (`waitForDone`, but
`addShapesFromSvg` too) runs a loop in which the document may be closed under it: then Krita falls.
So nothing is looked at, and no work goes on, before Krita is done with all that it was told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from limner_krita import opened
from limner_krita.qt import QtCore
from limner_wire.errors import LimnerError

Condition = Callable[[], bool]
Work = Generator[Condition, bool, None]

PATIENCE_S = 1.0  # for one condition, while Krita has nothing else to do
LOOK_MS = 8


def idle() -> bool:
    """What to wait for when nothing but Krita's being done is waited for."""
    return True


_waiting: dict[str, list[Work]] = {}  # of each document, the one that is done first


def begin(document: str, work: Work) -> None:
    """Do the work when what was begun before is done, its first part at once if that is now.

    It goes no further if the document of that id is closed.
    """
    queue = _waiting.setdefault(document, [])
    queue.append(work)
    if len(queue) == 1:
        _Turns(document, work).go_on(None)


class _Turns:
    """One work that is being done."""

    def __init__(self, document: str, work: Work) -> None:
        self._document, self._work = document, work
        self._condition: Condition = lambda: True
        self._until = 0.0

    def go_on(self, is_true: bool | None) -> None:
        """Do the next part; None begins."""
        try:
            self._condition = next(self._work) if is_true is None else self._work.send(is_true)
        except BaseException as end:
            self._end()
            if not isinstance(end, StopIteration):
                raise
        else:
            self._until = time.monotonic() + PATIENCE_S
            self._look_again()

    def _look_again(self) -> None:
        QtCore.QTimer.singleShot(LOOK_MS, lambda: self._look())  # a lambda keeps self alive

    def _look(self) -> None:
        try:
            document = opened.find_document(self._document)
        except LimnerError:
            _waiting.pop(self._document, None)
            return
        if not document.tryBarrierLock():
            self._until = time.monotonic() + PATIENCE_S
            self._look_again()
            return
        document.unlock()
        is_true = self._condition()
        if is_true or time.monotonic() >= self._until:
            self.go_on(is_true)
        else:
            self._look_again()

    def _end(self) -> None:
        queue = _waiting[self._document]
        queue.pop(0)
        if queue:
            _Turns(self._document, queue[0]).go_on(None)
        else:
            del _waiting[self._document]
