"""JSON Schemas of the YAML files, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from callsim.scenario.model import Scenario
from carriers.units import BIT_RATE, SHARE, format_bit_rate, format_duration, format_share
from documents.laws import LAW_SCHEMA
from documents.values import Model


def json_schema(root: type[Model] = Scenario) -> dict[str, Any]:
    """JSON Schema (2020-12) of a file, a scenario's or another; how its parts fit is left to the loader."""
    return root.model_json_schema(schema_generator=_Generator)


_WRITERS = {
    f"^(?:{SHARE})$": format_share,
    f"^(?:> *{SHARE})$": lambda share: f">{format_share(share)}",
    f"^(?:{BIT_RATE})$": format_bit_rate,
}
"""How the defaults of a pattern are written; those of others are durations."""


class _Generator(GenerateJsonSchema):
    """Writes defaults as a scenario would, no nulls, and the laws once."""

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        written = super().generate(schema, mode)
        if _refer_to_law(written):
            written["$defs"]["Law"] = LAW_SCHEMA
        return {"$schema": self.schema_dialect, **written}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if isinstance(default, float) and "pattern" in inner:
            return {**inner, "default": _WRITERS.get(inner["pattern"], format_duration)(default)}
        return {**inner, "default": default} if isinstance(default, str | int | float) else inner

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's
        return False


def _refer_to_law(node: Any) -> bool:  # noqa: ANN401 - JSON
    """Write a reference wherever a law is described; say whether there is one."""
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [_refer_to_law(part) for part in parts]
    if isinstance(node, dict) and node.get("anyOf") == LAW_SCHEMA["anyOf"]:
        del node["anyOf"]
        node["$ref"] = "#/$defs/Law"
        return True
    return any(found)
