"""What the models found wrong, in words that say what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from documents.values import Model
from documents.words import Path, Trouble, nearest, show
from sla.terms import WINDOWS

Models = list[tuple[str | None, type[Model]]]
"""Models that may stand somewhere, each with the tag that the union gives it."""


def troubles_of(error: ValidationError, data: Any, root: type[Model]) -> Iterator[Trouble]:  # noqa: ANN401
    """Everything that is wrong with `data` (plain values) as a `root`, each with its path in it."""
    details = error.errors(include_url=False)
    meant = {(*d["loc"][:-1], _meant(root, d)) for d in details if d["type"] == "extra_forbidden"}
    for detail in details:
        path = _path(detail["loc"], data)
        if detail["type"] == "too_short" or (detail["type"] == "missing" and detail["loc"] in meant):
            # Other lines say so already: its items are wrong (what is empty itself never gets here), or
            # a key beside it is misspelt.
            continue
        if detail["type"] == "located":
            for below, message in detail["ctx"]["troubles"]:
                yield (*path, *below), message
        elif detail["type"] == "missing":
            key = str(detail["loc"][-1])
            yield (*path, key), f"missing; write for example `{key}: {_example(root, detail, key)}`"
        elif detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
            yield _wrong_kind(root, detail, path)
        else:
            yield path, _message(root, detail)


def _path(loc: Path, data: Any) -> Path:  # noqa: ANN401 - plain values
    """Pydantic's location without the tags of unions and the keys that are not there."""
    path: list[str | int] = []
    for step in loc:
        present = isinstance(data, dict) and step in data
        if present or (isinstance(data, list) and isinstance(step, int) and step < len(data)):
            path.append(step)
            data = data[step]
    return tuple(path)


def _models_in(annotation: Any, tag: str | None = None) -> Models:  # noqa: ANN401 - any type
    """Models that a value of this type may be, itself or in a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [(tag, annotation)]
    if get_origin(annotation) is Annotated:
        tags = [extra.tag for extra in annotation.__metadata__ if isinstance(extra, Tag)]
        tag = tags[0] if tags else tag
        return _models_in(get_args(annotation)[0], tag)
    return [found for part in get_args(annotation) for found in _models_in(part, tag)]


def _fields(model: type[Model]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_at(root: type[Model], loc: Path) -> list[type[Model]]:
    """Models that may stand at a location of pydantic's."""
    models: Models = [(None, root)]
    for step in loc:
        below = [
            found
            for _, model in models
            for key, field in _fields(model).items()
            if key == step
            for found in _models_in(field.annotation)
        ]
        # A step that is no field is a list index, a free key, or the tag of a union.
        tagged = [(tag, model) for tag, model in models if step in (tag, *_literals(model))]
        models = below or tagged or models
    return [model for _, model in models]


def _literals(model: type[Model]) -> list[Any]:
    """Values of the fields that allow one value only."""
    return [args[0] for field in model.model_fields.values() if len(args := get_args(field.annotation)) == 1]


def _example(root: type[Model], detail: ErrorDetails, key: str) -> str:
    for model in _models_at(root, detail["loc"][:-1]):
        field = _fields(model).get(key)
        if field is not None:
            return _example_of(field)
    raise AssertionError(key)  # pydantic missed a field that no model has


def _example_of(field: FieldInfo) -> str:
    if field.examples:
        example = field.examples[0]
        return f"[{', '.join(example)}]" if isinstance(example, list) else str(example)
    models = _models_in(field.annotation)
    if models:
        text = _mapping(models[0][1])
        return f"[{text}]" if get_origin(field.annotation) is tuple else text
    return str(get_args(field.annotation)[0])


def _mapping(model: type[Model]) -> str:
    required = {key: field for key, field in _fields(model).items() if field.is_required() and key[0] != "<"}
    shown = required or dict(list(_fields(model).items())[:1])
    keys = sorted(shown, key=lambda key: key not in ("name", "mode"))
    return "{" + ", ".join(f"{key}: {_example_of(shown[key])}" for key in keys) + "}"


def _wrong_kind(root: type[Model], detail: ErrorDetails, path: Path) -> Trouble:
    """Say that the key that tells the kind of a mapping is wrong, or not there."""
    key = detail["ctx"]["discriminator"].strip("'")
    known = re.findall(r"'([^']*)'", detail["ctx"].get("expected_tags", "")) or [
        str(literal) for model in _models_at(root, detail["loc"]) for literal in _literals(model)
    ]
    if detail["type"] == "union_tag_not_found":
        return (*path, key), f"missing; write one of {', '.join(known)}"
    return (*path, key), _none_of(detail["input"].get(key), known)


def _none_of(value: object, known: list[str]) -> str:
    guess = nearest(str(value), known)
    if guess:
        return f"{show(value)} is not known here; did you mean '{guess}'?"
    right = known[0] if len(known) == 1 else f"one of {', '.join(known)}"
    return f"{show(value)} is not known here; write {right}"


def _known_keys(root: type[Model], detail: ErrorDetails) -> list[str]:
    return [key for model in _models_at(root, detail["loc"][:-1]) for key in _fields(model)]


def _meant(root: type[Model], detail: ErrorDetails) -> str | None:
    return nearest(str(detail["loc"][-1]), _known_keys(root, detail))


def _unknown_key(root: type[Model], detail: ErrorDetails) -> str:
    guess = _meant(root, detail)
    right = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(_known_keys(root, detail))}"
    return f"unknown key; {right}"


def _not_a_number(value: object, kind: str, example: str) -> str:
    text = value if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return f"'{text}' is text; write it without quotes, {text}"
    return f"{show(value)} is not a {kind}; write a bare number, like {example}"


_LIMITS = {
    "greater_than": ("too small; it has to be more than", "gt"),
    "greater_than_equal": ("too small; it has to be at least", "ge"),
    "less_than_equal": ("too large; it has to be at most", "le"),
    "less_than": ("too large; it has to be less than", "lt"),
}
_TYPES: dict[str, Callable[[object], str]] = {
    "string_type": lambda value: f"{show(value)} is not text; put it in quotes",
    "bool_type": lambda value: f"{show(value)} is neither true nor false; write one of them",
    "int_type": lambda value: _not_a_number(value, "count", "2"),
    "int_from_float": lambda value: _not_a_number(value, "count", "2"),
    "float_type": lambda value: _not_a_number(value, "number", "1.5"),
    "finite_number": lambda value: _not_a_number(value, "number", "1.5"),
    "window": lambda value: (
        f"{show(value)} is not a window; write {', '.join(WINDOWS)}, {{fixed: 720h}} or the like"
    ),
    "works": lambda value: f"{show(value)} is no diagram; write a group, {{all: [..]}} or {{any: [..]}}",
}


def _message(root: type[Model], detail: ErrorDetails) -> str:
    value, kind, ctx = detail["input"], detail["type"], detail.get("ctx", {})
    if kind in _TYPES:
        return _TYPES[kind](value)
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return f"{show(value)} is {words} {ctx[limit]:g}"
    match kind:
        case "value_error":
            message = str(ctx["error"])
        case "extra_forbidden":
            message = _unknown_key(root, detail)
        case "literal_error":
            message = _none_of(value, re.findall(r"'([^']*)'", ctx["expected"]) or [ctx["expected"]])
        case "model_type" | "model_attributes_type":
            example = _mapping(_models_at(root, detail["loc"])[0])
            message = f"{show(value)} is not a mapping; write it like {example}"
        case _:
            message = detail["msg"]
    return message
