"""Carrier files that a scenario includes, put below what it says itself."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path as File
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, ValidationError, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from callsim.errors import Problem, ScenarioError
from callsim.scenario.companions import NAMING
from callsim.scenario.paths import get, item_name, locate, write_path
from callsim.scenario.reading import BEGINS, read_tree
from callsim.scenario.tree import Tree
from callsim.scenario.wording import troubles_of
from documents.laws import FORMS
from documents.values import Items, Model, Name, located
from documents.words import Path, unknown

KIND = "carrier file"
BEGINS[KIND] = 'source: "where its figures are from"'
LAW_KEYS = {key for form in FORMS for key in form}


class Included(Model):
    """A carrier file, whose parts lie below the scenario's own."""

    file: str = Field(examples=["carriers/hosted-voice.yaml"])
    """Its name, relative to the file that includes it."""
    carriers: dict[Name, Name] | None = Field(default=None, alias="as")
    """What its carriers are called here, by their names there; the others are left out."""

    @field_validator("carriers")
    @classmethod
    def _some(cls, names: dict[str, str] | None) -> dict[str, str] | None:
        if names is not None and not names:
            raise located(((), "empty; write {its-name: our-name}, or leave it out"))
        return names


def _bare(value: object) -> object:
    return {"file": value} if isinstance(value, str) else value


class _OrText:
    """Tells editors that a text will do."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


Include = Annotated[Included, BeforeValidator(_bare), _OrText()]
"""A carrier file; a bare text is its `file`."""


class Head(Model):
    """What a carrier file has besides parts of a scenario."""

    format: Literal[1] = 1
    """Version of the language."""
    source: str = Field(min_length=1, examples=['"incident log of 2025"'])
    """Where its figures are from."""
    include: Items[Include] = ()
    """Carrier files that lie below this one."""


def is_carrier_file(data: object) -> bool:
    """Whether plain values are meant as a carrier file: it says where its figures are from."""
    return isinstance(data, dict) and "source" in data


def read_carrier_file(file: str) -> Tree:
    """Read a carrier file with what it includes, its own keys left out; raises ScenarioError."""
    problems: list[Problem] = []
    tree = _read(file, (File(file).resolve(),), problems)
    if tree is None or problems:
        raise ScenarioError(problems)
    return tree


def put_included(tree: Tree) -> None:
    """Put below a scenario what the files say that it includes; raises ScenarioError.

    Mappings are merged, and lists of what has names, item by item; the scenario's own values win, laws and
    other lists as a whole. Of two files that say the same the later one wins. `include` stays, to be checked.
    """
    problems: list[Problem] = []
    _merge_all(tree, (File(tree.file).resolve(),), problems)
    if problems:
        raise ScenarioError(problems)
    _keep_uncertain(tree, lambda at, own: _still_meant(tree, at, own))


def drop_uncertain(tree: Tree, overridden: Sequence[Path]) -> None:
    """Forget what is uncertain where the command line has given a value."""

    def free(_: Path, path: Path | None) -> bool:
        return path is None or not any(
            path[: len(given)] == given or given[: len(path)] == path for given in overridden
        )

    if overridden:
        _keep_uncertain(tree, free)


def _still_meant(tree: Tree, at: Path, path: Path | None) -> bool:
    """Whether an uncertain parameter is about a value from its own file, or the scenario says it itself."""
    own, _ = tree.place(at)
    return own == tree.file or path is None or tree.place(path)[0] == own


def _keep_uncertain(tree: Tree, wanted: Any) -> None:  # noqa: ANN401 - a rule on where it stands, and of what
    items = tree.data.get("uncertain")
    if not isinstance(items, list):
        return
    kept, seen = [], set()
    for number, item in enumerate(items):
        written = get(item, ("path",))
        path = locate(tree.data, written) if isinstance(written, str) else None
        at: Path = ("uncertain", number)
        if wanted(at, path) and (path is None or path not in seen or tree.place(at)[0] == tree.file):
            kept.append(number)
        seen.add(path)
    _select(tree, "uncertain", kept)
    if not kept and items:
        del tree.data["uncertain"]


def _select(tree: Tree, key: str, kept: Sequence[int]) -> None:
    """Keep these items of a list, with their places."""
    places = tree.places
    tree.data[key] = [tree.data[key][number] for number in kept]
    tree.places = {path: place for path, place in places.items() if path[:1] != (key,) or len(path) == 1}
    for new, old in enumerate(kept):
        for path, place in places.items():
            if path[:2] == (key, old):
                tree.places[(key, new, *path[2:])] = place


def _read(file: str, chain: tuple[File, ...], problems: list[Problem]) -> Tree | None:
    try:
        tree = read_tree(file, KIND)
    except ScenarioError as error:
        problems += error.problems
        return None
    found = [(path, place, text) for path, place, text in tree.troubles]
    head = {key: value for key, value in tree.data.items() if key in Head.model_fields}
    try:
        Head.model_validate(head)
    except ValidationError as error:
        found += [
            (path, tree.place(path), text)
            for path, text in troubles_of(error, head, Head)
            if path not in tree.blanks
        ]
    problems += [Problem(*place, write_path(tree.data, path), text) for path, place, text in found]
    _merge_all(tree, chain, problems)
    for key in Head.model_fields:
        tree.data.pop(key, None)
    return tree


def _merge_all(tree: Tree, chain: tuple[File, ...], problems: list[Problem]) -> None:
    for at, name, names in reversed(list(_entries(tree.data))):
        file = File(tree.file).parent / name
        told = Problem(*tree.place(at), write_path(tree.data, at), "")
        why = _no_file(file, chain)
        if why:
            problems.append(Problem(told.file, told.line, told.path, why))
            continue
        other = _read(str(file), (*chain, file.resolve()), problems)
        if other is None:
            continue
        if names is not None:
            for below, text in _rename(other, names):
                where = (*at, "as", *below)
                problems.append(Problem(*tree.place(where), write_path(tree.data, where), text))
        _rebase(other.data, File(other.file).parent, File(tree.file).parent)
        _Merge(tree, other, problems).mapping((), ())


def _entries(data: dict[str, Any]) -> Iterator[tuple[Path, str, dict[str, str] | None]]:
    """Give where each file is included, its name and what its carriers become; pass over what is wrong."""
    items = data.get("include")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        entry = {"file": item} if isinstance(item, str) else item
        name, names = get(entry, ("file",)), get(entry, ("as",))
        if isinstance(name, str) and (names is None or _texts(names)):
            yield ("include", number), name, names


def _texts(names: object) -> bool:
    return isinstance(names, dict) and bool(names) and all(isinstance(new, str) for new in names.values())


def _no_file(file: File, chain: tuple[File, ...]) -> str | None:
    """Say why a file cannot be included."""
    try:
        there, whole = file.is_file(), file.resolve()
    except (OSError, ValueError):
        return "is not a file name"
    if not there:
        return f"there is no file {file}"
    if whole in chain:
        round_ = " includes ".join(part.name for part in (*chain[chain.index(whole) :], whole))
        return f"a circle: {round_}; leave one out"
    return None


def _rename(tree: Tree, names: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Keep the carriers that have new names, under these; gives what is wrong below `as`."""
    others = [key for key in tree.data if key not in ("carriers", "uncertain")]
    if others:
        yield (), f"renames carriers, but {tree.file} has `{others[0]}` too; include it without `as`"
    carriers = tree.data.get("carriers")
    known = [item_name(item) for item in carriers] if isinstance(carriers, list) else []
    for name in names:
        if name not in known:
            yield (name,), unknown("carrier in it", name, [text for text in known if text])
    if isinstance(carriers, list):
        _select(tree, "carriers", [number for number, name in enumerate(known) if name in names])
        for item in tree.data["carriers"]:
            item["name"] = names[item["name"]]
    uncertain = tree.data.get("uncertain")
    if isinstance(uncertain, list):
        kept = []
        for number, item in enumerate(uncertain):
            written = get(item, ("path",))
            words = written.split(".") if isinstance(written, str) else []
            if words[:1] != ["carriers"] or words[1:2] == []:
                kept.append(number)
            elif words[1] in names:
                item["path"] = ".".join((words[0], names[words[1]], *words[2:]))
                kept.append(number)
        _select(tree, "uncertain", kept)


def _rebase(data: Any, old: File, new: File) -> None:  # noqa: ANN401 - plain values
    """Let the names of files in `data` start from another folder."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key in NAMING and isinstance(value, str) and "\0" not in value:
                data[key] = os.path.relpath(old / value, new)
            else:
                _rebase(value, old, new)
    elif isinstance(data, list):
        for item in data:
            _rebase(item, old, new)


class _Merge:
    """Puts one tree below another."""

    def __init__(self, tree: Tree, other: Tree, problems: list[Problem]) -> None:
        self.tree, self.other, self.problems = tree, other, problems

    def mapping(self, path: Path, at: Path) -> None:
        """Merge two mappings, which stand at `path` and, in the other tree, `at`."""
        own, other = get(self.tree.data, path), get(self.other.data, at)
        for key, value in other.items():
            if key not in own:
                own[key] = value
                self._bring((*path, key), (*at, key))
            elif path == () and key == "uncertain":
                self._append((key,), (key,), range(len(value) if isinstance(value, list) else 0))
            else:
                self._value((*path, key), (*at, key))

    def _value(self, path: Path, at: Path) -> None:
        own, other = get(self.tree.data, path), get(self.other.data, at)
        if isinstance(own, dict) and isinstance(other, dict):
            if not LAW_KEYS & (own.keys() | other.keys()):
                self.mapping(path, at)
        elif isinstance(own, list) and isinstance(other, list):
            names, theirs = [item_name(item) for item in own], [item_name(item) for item in other]
            if None not in (*names, *theirs):
                self._items(path, at, names, theirs)

    def _items(self, path: Path, at: Path, names: list[str | None], theirs: list[str | None]) -> None:
        new = []
        own, other = Counter(names), Counter(theirs)
        for number, name in enumerate(theirs):
            if not own[name]:
                new.append(number)
            elif own[name] == other[name] == 1:
                self.mapping((*path, names.index(name)), (*at, number))
            else:
                place = self.other.place((*at, number))
                text = f"several are called '{name}', here or in {self.tree.file}; give each its own `name`"
                self.problems.append(Problem(*place, write_path(self.other.data, (*at, number)), text))
        self._append(path, at, new)

    def _append(self, path: Path, at: Path, numbers: Sequence[int]) -> None:
        own, other = get(self.tree.data, path), get(self.other.data, at)
        for number in numbers if isinstance(own, list) else ():
            own.append(other[number])
            self._bring((*path, len(own) - 1), (*at, number))

    def _bring(self, path: Path, at: Path) -> None:
        """Take along where it stands."""
        for below, place in self.other.places.items():
            if below[: len(at)] == at:
                self.tree.places[(*path, *below[len(at) :])] = place
