"""YAML text as plain values that remember their lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from documents.words import Path, show

LARGEST = 1_000_000
"""Bytes of a file."""
DEEPEST = 40
"""Mappings and lists inside each other."""

_TAG = "tag:yaml.org,2002:"
_NUMBERS = {_TAG + kind for kind in ("int", "float", "bool", "null")}
_TEXTS = {_TAG + kind for kind in ("str", "timestamp", "value", "merge")}
"""Dates stay text here; what becomes of them is the model's business."""
_KEYS = {_TAG + kind for kind in ("str", "merge")}
_SYNTAX = (
    (r"'\\t'", "a tab; YAML is indented with spaces"),
    ("another document", "a second document; a {kind} is one, without ---"),
    ("undefined alias", "an alias; write the value out"),
    ("mapping values are not allowed", "a second ':' in the line; quote the value, or begin a new line"),
    ("end of stream", "a quote that is never closed"),
    ("stream end", "a bracket that is never closed"),
    ("expected ',' or", "a bracket that is never closed, or a comma that is missing"),
    ("expected <block end>", "a line that is indented neither like the one above nor like its parent"),
    ("expected ':'", "a key without ': ' after it"),
    ("sequence entries are not allowed", "a '- ' that does not begin a line"),
    ("chomping or indentation", 'a special character; quote the value, like ">5%"'),
    (
        "cannot start any token|alphabetic or numeric|comment or a line",
        "a special character; quote the value",
    ),
)
"""Patterns of the parser's messages, and what to say instead."""

Place = tuple[str, int]
"""A file as it was named, and a line in it, from 1."""


@dataclass
class Tree:
    """The plain values of a file: dicts, lists, text, numbers, true, false; None where one is wrong."""

    file: str = ""
    """As it was named."""
    data: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    """Where each key and list item stands."""
    troubles: list[tuple[Path, Place, str]] = field(default_factory=list)
    """What is wrong with the YAML itself, and where."""
    blanks: set[Path] = field(default_factory=set)
    """Where a value is None because of a trouble."""

    def place(self, path: Path) -> Place:
        """Where `path` stands, or what is nearest around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (self.file, 1))


class Unreadable(Exception):  # noqa: N818 - a result, turned into a Problem at once
    """There is no tree; says why, and in which line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_file(file: File, kind: str = "scenario") -> str:
    """Text of a file, which messages call a `kind`; raises Unreadable."""
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise Unreadable(f"{size / 1e6:.1f} MB; a {kind} has at most {LARGEST / 1e6:.0f} MB")
        raw = file.read_bytes()
    except IsADirectoryError:
        raise Unreadable("is a folder; name a file in it") from None
    except OSError as error:
        raise Unreadable(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise Unreadable("is not a file name") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8", line
        ) from None


def parse(text: str, file: str = "", kind: str = "scenario") -> Tree:
    """Read one YAML document, which messages call a `kind`; raises Unreadable where there is none."""
    directive = re.match(r"(?:[ \t]*(?:#.*)?\n)*(%.*)", text)
    if directive:
        line = text.count("\n", 0, directive.start(1)) + 1
        raise Unreadable(f"a directive, {directive[1]}; a {kind} is YAML 1.2 and has none", line)
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        raise Unreadable(
            _syntax(error, kind), error.problem_mark.line + 1 if error.problem_mark else None
        ) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(
            f"character U+{ord(text[error.position]):04X} is not allowed; delete it", line
        ) from None
    except YAMLError as error:
        raise Unreadable(f"not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Unreadable(f"nested too deeply; a {kind} has at most {DEEPEST} levels") from None
    tree = Tree(file)
    if node is not None:
        tree.data = _Builder(yaml, tree, kind).build(node, ())
    return tree


def _syntax(error: MarkedYAMLError, kind: str) -> str:
    problem = error.problem or "cannot be read"
    for pattern, message in _SYNTAX:
        if re.search(pattern, problem):
            return f"not YAML here: {message.format(kind=kind)}"
    return f"not YAML here: {problem}"


class _Builder:
    """Turns nodes into plain values."""

    def __init__(self, yaml: YAML, tree: Tree, kind: str) -> None:
        self.yaml = yaml
        self.tree = tree
        self.kind = kind

    def build(self, node: Node, path: Path) -> Any:  # noqa: ANN401 - plain values
        """Value of `node`; None, with the trouble noted, where it has none."""
        self.tree.places.setdefault(path, self._place(node))
        if node.anchor:
            self._blank(path, f"an anchor, &{node.anchor}; write the value out where it is used")
        elif len(path) > DEEPEST:
            self._blank(path, f"nested too deeply; a {self.kind} has at most {DEEPEST} levels")
        elif isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        elif isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        elif isinstance(node, ScalarNode) and node.tag in _TEXTS | _NUMBERS:
            return self._scalar(node, path)
        else:
            self._blank(path, f"a tag, {str(node.tag).replace(_TAG, '!!')}; leave it out")
        return None

    def _place(self, node: Node) -> Place:
        return self.tree.file, node.start_mark.line + 1

    def _scalar(self, node: ScalarNode, path: Path) -> str | float | None:
        if node.tag in _TEXTS:
            return str(node.value)
        try:
            value: float | None = self.yaml.constructor.construct_object(node)
        except ValueError:
            self._blank(path, f"{show(node.value)} is not a value of its tag; leave the tag out")
            return None
        if value is None:
            self._blank(path, "empty; write a value, or delete the key")
        return value

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            key = key_node.value if isinstance(key_node, ScalarNode) else "?"
            at = (*path, key)
            if not isinstance(key_node, ScalarNode) or key_node.tag not in _KEYS:
                self.tree.troubles.append((at, place, "a key that is not text; a key is a plain word"))
            elif key_node.tag == _TAG + "merge":
                self.tree.troubles.append((at, place, "a merge key; write its keys out"))
            elif key in mapping:
                _, first = self.tree.places[at]
                message = f"stands here twice, first in line {first}; delete one"
                self.tree.troubles.append((at, place, message))
            else:
                self.tree.places[at] = place
                mapping[key] = self.build(value_node, at)
        return mapping

    def _blank(self, path: Path, message: str) -> None:
        self.tree.troubles.append((path, self.tree.places[path], message))
        self.tree.blanks.add(path)
