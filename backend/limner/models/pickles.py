"""What a pickle says, without doing it.

A pickle is a program for a small stack machine; its names (`os.system`) are Python objects that
the machine looks up and calls. Here it is read by a machine that has no such objects: a name stays
a name, and calling it gives a record of the call, or runs a function of Limner's own that stands
for it. Nothing is imported, so no code from a file can run, whatever the file says. A name that is
not in the reader's vocabulary is refused, and told.

The instructions are those of `pickletools`, protocols 0 to 5.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from limner_wire.errors import ErrorCode, LimnerError

INSTRUCTIONS_MAX = 5_000_000  # a generator's pickle has some ten thousand; this takes ten seconds
HARMLESS_KEYS = (str, bytes, int, float, bool, type(None))  # hashing others may go deep


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A name that a pickle mentions."""

    text: str


@dataclass(slots=True, eq=False)
class Made:
    """What a pickle makes by calling a name: the call, not its result.

    Attributes:
        state: what it then puts into it.
    """

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


class Attributes(dict[str, Any]):
    """An object that only has attributes, such as the settings of a command line."""


# What stands for each name: a function of ours, called instead; or None for a record of the call.
Vocabulary = Mapping[str, Callable[..., Any] | None]


class Damaged(ValueError):
    """A pickle, or what it describes, makes no sense."""


NONSENSE = (ValueError, TypeError, LookupError, OverflowError, AttributeError, EOFError)


def read_pickle(
    stream: BinaryIO, vocabulary: Vocabulary, stored: Callable[[Any], Any] | None = None
) -> Any:
    """What the next pickle of a stream says; the stream then stands behind it.

    Args:
        stored: what an object that lies outside the pickle is, by its "persistent id".

    Raises:
        LimnerError: UNSAFE_FILE if it mentions a name that is not in the vocabulary.
        Damaged: if it makes no sense.
    """
    machine = _Machine(vocabulary, stored)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of odd escapes in old strings
            for count, (instruction, argument, _) in enumerate(pickletools.genops(stream)):
                if count > INSTRUCTIONS_MAX:
                    raise Damaged("it is too long")
                machine.step(instruction.name, argument)
        (result,) = machine.stack
    except (*NONSENSE, RecursionError, MemoryError) as problem:
        if isinstance(problem, Damaged):
            raise
        raise Damaged(f"{type(problem).__name__}: {str(problem)[:120]}") from problem
    return result


def asked_for(name: str) -> LimnerError:
    """The refusal of a file that asks for what it has no business with."""
    return LimnerError(
        ErrorCode.UNSAFE_FILE,
        f"The file asks for {shown(name, 80)}, which weights don't need; nothing of it was run.",
        "Don't trust where it came from. Weights alone can be saved as safetensors.",
    )


def shown(text: str, most: int = 240) -> str:
    """Text out of a file as it may be shown: one line, and nothing that moves the cursor."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in line[:most])


_ARGUMENT = frozenset((
    "INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
))  # fmt: skip
_EMPTY: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": list,
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))


@dataclass(slots=True)
class _Machine:
    """The stack, the marks in it, and what was put aside. Sets are kept as lists."""

    vocabulary: Vocabulary
    stored: Callable[[Any], Any] | None
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, instruction: str, argument: Any) -> None:
        if instruction in _ARGUMENT:
            self.stack.append(argument)
        elif instruction in _EMPTY:
            self.stack.append(_EMPTY[instruction]())
        elif instruction in _TUPLES:
            self.stack.append(tuple(self.pop(_TUPLES[instruction])))
        elif instruction in _PUT:
            self.memo[argument] = self.stack[-1]
        elif instruction in _GET:
            self.stack.append(self.memo[argument])
        elif instruction in ("GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "NEWOBJ", "OBJ",
                             "NEWOBJ_EX", "BUILD", "PERSID", "BINPERSID"):  # fmt: skip
            self.refer(instruction, argument)
        else:
            self.rearrange(instruction)

    def rearrange(self, instruction: str) -> None:
        """Containers, and the stack itself."""
        match instruction:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "MARK":
                self.marks.append(len(self.stack))
            case "POP":
                if self.marks and self.marks[-1] == len(self.stack):
                    self.marks.pop()  # the mark was on top
                else:
                    self.pop(1)
            case "POP_MARK":
                self.since_mark()
            case "DUP":
                self.stack.append(self.stack[-1])
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "LIST" | "FROZENSET":
                self.stack.append(self.since_mark())
            case "TUPLE":
                self.stack.append(tuple(self.since_mark()))
            case "DICT":
                items = self.since_mark()
                self.stack.append(_filled({}, items))
            case "APPEND" | "APPENDS" | "ADDITEMS":
                items = self.pop(1) if instruction == "APPEND" else self.since_mark()
                _expect(list, self.stack[-1]).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self.pop(2) if instruction == "SETITEM" else self.since_mark()
                _filled(_expect(dict, self.stack[-1]), items)
            case _:
                raise Damaged(f"it uses {instruction}")

    def refer(self, instruction: str, argument: Any) -> None:
        """Names, calls, and what lies elsewhere."""
        match instruction:
            case "GLOBAL":
                self.stack.append(self.name(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                module, attribute = self.pop(2)
                self.stack.append(self.name(_expect(str, module), _expect(str, attribute)))
            case "INST":
                arguments = self.since_mark()
                self.stack.append(self.call(self.name(*argument.split(" ", 1)), tuple(arguments)))
            case "OBJ":
                called, *arguments = self.since_mark()
                self.stack.append(self.call(called, tuple(arguments)))
            case "REDUCE" | "NEWOBJ":
                called, arguments = self.pop(2)
                self.stack.append(self.call(called, _expect(tuple, arguments)))
            case "NEWOBJ_EX":
                called, arguments, named = self.pop(3)
                if named:
                    raise Damaged("it calls by keyword")
                self.stack.append(self.call(called, _expect(tuple, arguments)))
            case "BUILD":
                (state,) = self.pop(1)
                _build(self.stack[-1], state)
            case _:  # PERSID, BINPERSID
                if self.stored is None:
                    raise Damaged("it speaks of what lies elsewhere")
                which = argument if instruction == "PERSID" else self.pop(1)[0]
                self.stack.append(self.stored(which))

    def name(self, module: str, attribute: str) -> Name:
        text = f"{module}.{attribute}"
        if text not in self.vocabulary:
            raise asked_for(text)
        return Name(text)

    def call(self, called: Any, arguments: tuple[Any, ...]) -> Any:
        text = _expect(Name, called).text
        if text in (
            "copyreg._reconstructor",
            "copy_reg._reconstructor",
        ):  # (class, base, what the base holds)
            made = self.call(arguments[0], ())
            return _filled(made, arguments[2]) if isinstance(made, dict) else made
        if text == "torch._tensor._rebuild_from_type_v2":  # (function, class, arguments, state)
            return self.call(arguments[0], _expect(tuple, arguments[2]))
        ours = self.vocabulary[text]
        return Made(text, arguments) if ours is None else ours(*arguments)

    def pop(self, count: int) -> list[Any]:
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) - count < floor:
            raise Damaged("its stack is empty")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def since_mark(self) -> list[Any]:
        place = self.marks.pop()
        taken = self.stack[place:]
        del self.stack[place:]
        return taken


def _expect(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise Damaged(f"a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _filled(table: dict[Any, Any], items: Any) -> dict[Any, Any]:
    pairs = items.items() if isinstance(items, dict) else zip(items[::2], items[1::2], strict=True)
    for key, value in pairs:
        if not isinstance(key, HARMLESS_KEYS):
            raise Damaged(f"a table whose keys are of {type(key).__name__}")
        table[key] = value
    return table


def _build(target: Any, state: Any) -> None:
    if isinstance(target, Made):
        target.state = state
    elif isinstance(target, Attributes):
        _filled(target, _expect(dict, state))
    elif not isinstance(target, dict):  # what an ordered table has besides its items: no matter
        raise Damaged(f"attributes of a {type(target).__name__}")
