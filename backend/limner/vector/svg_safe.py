"""The gate before the SVG reader: bytes in, a checked tree out, or a refusal.

Everything that could fetch, run or blow up is refused here, before any geometry is parsed:
documents with a DTD or entities, scripts, event attributes, embedded pages and pictures,
addresses outside the file, and more bytes, depth or path commands than `limner_wire.limits`
allows. The work is linear in the bytes. It does not know what the elements mean: that is
`svg_read`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.sax import make_parser

from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import SVG_BYTES, SVG_COMMANDS, SVG_DEPTH

LIMNER_NAMESPACE = "urn:x-limner:drawing:1"
METADATA_TAG = "limner:drawing"

_SVG_NAMESPACES = ("", "http://www.w3.org/2000/svg")  # "": exports that forget to declare it
_XHTML_NAMESPACE = "http://www.w3.org/1999/xhtml"
_EMBEDDED = frozenset(("foreignobject", "image", "feimage", "iframe", "object", "embed"))
_ACTIVE = _EMBEDDED | {"script", "handler", "audio", "video"}
_TEXT_TAGS = frozenset(("style", METADATA_TAG))
_PREFIXES_MAX = 64  # scopes are copied from parent to child, so their size is bounded
_ATTRIBUTE_MAX = 65_536  # characters; only `d` and `points` may be longer
_STYLE_MAX = 262_144  # characters of one style sheet

_ELEMENT_COST = 4
_ARITY = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7, "z": 0}
_PATH_TOKEN = re.compile(r"[MmZzLlHhVvCcSsQqTtAa]|[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")
_NOT_PATH = re.compile(r"[^MmZzLlHhVvCcSsQqTtAaEe0-9+\-.,\s]")
_NOT_NUMBERS = re.compile(r"[^Ee0-9+\-.,\s]")
_EVENT = re.compile(r"on[a-z]+", re.IGNORECASE)  # `only_selected` is Inkscape's, and harmless
_URL = re.compile(r"url\(\s*['\"]?\s*", re.IGNORECASE)


@dataclass(slots=True)
class Node:
    """One element. `tag` is its local name, "limner:drawing", or "" in a foreign namespace."""

    tag: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    text: str = ""  # kept for <style> and for Limner's metadata


def unsafe(why: str, hint: str = "Save it again as a plain SVG, without that.") -> LimnerError:
    """An UNSAFE_FILE error; `why` completes "cat.svg can't be read: ..."."""
    return LimnerError(ErrorCode.UNSAFE_FILE, why, hint)


def broken(why: str, hint: str = "Save it again as a plain SVG.") -> LimnerError:
    """An UNREADABLE error; `why` completes "cat.svg can't be read: ..."."""
    return LimnerError(ErrorCode.UNREADABLE, why, hint)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Puts the name of the file before the reasons that `unsafe` and `broken` give."""
    try:
        yield
    except LimnerError as error:
        message = f"{name} can't be read: {error.message}."
        raise LimnerError(error.code, message, error.hint) from None


def parse(data: bytes) -> Node:
    """The checked tree of an SVG file.

    Raises:
        LimnerError: UNSAFE_FILE for what could run, fetch or expand; UNREADABLE for what is
            too large, too deep, compressed, not UTF-8, not XML or not SVG.
    """
    gate = _Gate()
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(gate)
    try:
        parser.feed(_decoded(data))  # as text, so that a declared encoding can't disagree
        parser.close()
    except DefusedXmlException:
        raise unsafe("it has a DTD or entities") from None
    except SAXException:
        raise broken("it is not well-formed XML") from None
    if gate.root is None or gate.root.tag != "svg":
        raise broken("it is XML but not SVG")
    return gate.root


def _decoded(data: bytes) -> str:
    if len(data) > SVG_BYTES:
        raise broken(f"it is larger than {SVG_BYTES // 2**20} MiB", "Simplify its paths.")
    if data.startswith(b"\x1f\x8b"):
        raise broken("it is compressed (svgz)", "Unpack it first, for example with gunzip.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise broken("it is not UTF-8 text", "Save it as an SVG in UTF-8.") from None


class _Gate(ContentHandler):
    """Builds the tree while the parser runs, and stops it at the first thing refused.

    Namespaces are resolved here and not by expat, which would copy a namespace's whole address
    to every name that uses it: four megabytes of address times a hundred thousand names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root: Node | None = None
        self._open: list[Node] = []
        self._scopes: list[dict[str, str]] = [{}]
        self._pieces: list[str] = []
        self._commands = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        if len(self._open) >= SVG_DEPTH:
            raise broken(f"its elements are nested more than {SVG_DEPTH} deep", "Ungroup it.")
        scope = _scope(self._scopes[-1], attrs)
        node = Node(_tag(name, scope), _checked(attrs))
        self._commands += _cost(node, SVG_COMMANDS)
        if self._commands > SVG_COMMANDS:
            raise broken(f"it has more than {SVG_COMMANDS} path commands", "Simplify its paths.")
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._scopes.append(scope)

    def characters(self, content: str) -> None:
        if self._open[-1].tag in _TEXT_TAGS:
            self._pieces.append(content)

    def endElement(self, name: str) -> None:
        node = self._open.pop()
        self._scopes.pop()
        if node.tag in _TEXT_TAGS:
            node.text = "".join(self._pieces)
            self._pieces.clear()
        if node.tag == "style":
            if len(node.text) > _STYLE_MAX:
                raise broken(f"its style sheet is longer than {_STYLE_MAX} characters")
            _check_css(node.text)

    def processingInstruction(self, target: str, data: str) -> None:
        if target.lower() == "xml-stylesheet":
            raise unsafe("it loads a style sheet from elsewhere")


def _scope(outer: dict[str, str], attrs: AttributesImpl) -> dict[str, str]:
    """The prefixes in force inside an element: prefix -> namespace address."""
    declared = {
        name.partition(":")[2]: address
        for name, address in attrs.items()
        if name == "xmlns" or name.startswith("xmlns:")
    }
    if not declared:
        return outer
    scope = {**outer, **declared}
    if len(scope) > _PREFIXES_MAX:
        raise broken(f"it declares more than {_PREFIXES_MAX} namespaces")
    return scope


def _tag(name: str, scope: dict[str, str]) -> str:
    """The tag of a Node for an element written `name`.

    Raises:
        LimnerError: UNSAFE_FILE for an element that could run or fetch, whatever its namespace.
    """
    prefix, _, local = name.rpartition(":")
    namespace = scope.get(prefix, "")
    if local.lower() in _ACTIVE:
        what = "an embedded picture" if local.lower() == "image" else f"a <{local[:40]}>"
        raise unsafe(f"it holds {what}, and Limner reads only strokes and shapes")
    if namespace == _XHTML_NAMESPACE:
        raise unsafe("it holds a web page")
    if namespace == LIMNER_NAMESPACE:
        return f"limner:{local}"
    return local if namespace in _SVG_NAMESPACES else ""


def _checked(attrs: AttributesImpl) -> dict[str, str]:
    """The attributes that the reader may see: those without a prefix, and xlink:href as href."""
    kept = {}
    for name, value in attrs.items():
        prefix, _, local = name.rpartition(":")
        _check_attribute(prefix, local, value)
        if not prefix or local == "href":
            kept[local] = value
    return kept


def _check_attribute(prefix: str, local: str, value: str) -> None:
    if _EVENT.fullmatch(local):
        raise unsafe(f"it has an event attribute, {local[:40]}")
    if prefix == "xml" and local == "base":
        raise unsafe("it changes the address that its links start from (xml:base)")
    if local.lower() in ("href", "src") and value.strip() and not value.strip().startswith("#"):
        raise unsafe("it links to something outside the file")
    if local in ("d", "points"):
        wrong = _NOT_PATH if local == "d" else _NOT_NUMBERS
        if not prefix and wrong.search(value):
            raise broken(f"`{local}` holds something other than commands and finite numbers")
        return
    if len(value) > _ATTRIBUTE_MAX:
        raise broken(f"an attribute is longer than {_ATTRIBUTE_MAX} characters")
    if local == "style" or "url(" in value.lower():
        _check_css(value)


def _check_css(css: str) -> None:
    if "\\" in css:
        raise unsafe("its style has backslash escapes, which can hide an address")
    if "@import" in css.lower():
        raise unsafe("its style imports another file")
    if any(not css.startswith("#", match.end()) for match in _URL.finditer(css)):
        raise unsafe("its style uses something outside the file")


def _cost(node: Node, limit: int) -> int:
    """How many path commands an element stands for; counting stops just past `limit`.

    Every element costs four at least, so that this bounds the elements too. Arc flags written
    without spaces count low, by a third at most.
    """
    total = _ELEMENT_COST
    for points in (node.attributes.get("points", ""), node.attributes.get("d", "")):
        left = 0  # numbers that the present command still takes
        arity = 2
        for match in _PATH_TOKEN.finditer(points):
            token = match[0]
            if token.isalpha():
                arity = _ARITY[token.lower()]
                total, left = total + 1, arity
            elif left:
                left -= 1
            else:
                total, left = total + 1, max(arity - 1, 0)
            if total > limit:
                return total
    return total
