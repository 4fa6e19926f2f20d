"""The OpenAPI document: every documented view, described by itself and its models."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import version
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaMode,
    JsonSchemaValue,
    models_json_schema,
)
from pydantic_core import core_schema
from werkzeug.routing import Rule

from web import given, payload, schema
from web.callers import UNCOUNTED

View = Callable[..., Any]

PROBLEMS = {
    400: "A parameter or the body is wrong; the detail names each.",
    401: "The key that was sent is not known.",
    403: "The request comes from pages of another origin.",
    404: "There is no such artifact.",
    413: "The body is too large.",
    414: "The address is longer than the server reads.",
    415: "The body is not declared to be JSON.",
    422: "What the body says is refused.",
    429: "Too many requests; come again after the seconds that Retry-After names.",
    431: "The headers are more or longer than the server reads.",
    500: "The server met a fault of its own.",
    503: "Nothing is built yet, or the disk refuses.",
}
"""What each status of an error means, here."""

ALWAYS = (414, 431, 500, 503)
"""Errors that any endpoint may answer with."""

COUNTED = (401, 429)
"""Errors of whatever is not asked by supervisors, at any rate."""

BODY = (400, 403, 413, 415)
"""Errors of whatever takes a body."""

TAGS = {
    "api": "Needs, artifacts and outcomes.",
    "probes": "What a supervisor asks.",
    "reference": "This document.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says of a view, beside its route and its docstring."""

    answer: type[BaseModel] | str
    parameters: type[BaseModel] | None
    body: type[BaseModel] | None
    status: int
    errors: tuple[int, ...]
    conditional: bool


def describes(
    answer: type[BaseModel] | str,
    *,
    parameters: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    status: int = 200,
    errors: tuple[int, ...] = (),
    conditional: bool = False,
) -> Callable[[View], View]:
    """Return what gives a view its checked `parameters` as `asked`, `body` as `told`.

    `answer` is the model of the answer or its media type, `errors` are the statuses it
    may have beside those that all have; `conditional` if it carries an ETag.
    """
    if parameters is not None:
        errors += (400,)
    if body is not None:
        errors += BODY

    def note(view: View) -> View:
        """Return `view` with what the document says of it."""

        @wraps(view)
        def checked(**path: str) -> Any:
            """Answer what was asked, once it is checked."""
            more: dict[str, BaseModel] = {}
            if parameters is not None:
                more["asked"] = given.parameters(parameters)
            if body is not None:
                more["told"] = given.validated(body, given.body())
            return view(**path, **more)

        checked.operation = Operation(  # type: ignore[attr-defined]  # a function has room
            answer, parameters, body, status, tuple(sorted(set(errors))), conditional
        )
        return checked

    return note


def operations(app: Flask) -> Iterator[tuple[Rule, str, View, Operation]]:
    """Yield each documented route of `app` with its method, view and operation."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: each.rule):
        view = app.view_functions[rule.endpoint]
        operation = getattr(view, "operation", None)
        if operation is not None:
            method = "post" if "POST" in (rule.methods or ()) else "get"
            yield rule, method, view, operation


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all that `app` documents."""
    found = list(operations(app))
    paths: dict[str, Any] = {}
    for rule, method, view, operation in found:
        described = _described(rule, view, operation)
        paths.setdefault(path(rule), {})[method] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "instead",
            "version": version("instead"),
            "summary": "Find, compare and replace AI artifacts by what they can do.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas([operation for *_, operation in found]),
            "responses": {str(status): _problem(status) for status in PROBLEMS},
            "headers": {
                "ETag": _header("Of the answer; send it as If-None-Match."),
                "Retry-After": _header("Seconds to wait.", "integer"),
                "X-Request-Id": _header("The request's own id, or one made for it."),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


def path(rule: Rule) -> str:
    """Return a route's path with its parts in braces."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _described(rule: Rule, view: View, operation: Operation) -> dict[str, Any]:
    summary, _, more = (inspect.getdoc(view) or "").partition("\n")
    blueprint, _, name = rule.endpoint.rpartition(".")
    found: dict[str, Any] = {
        "operationId": payload.camel(name),
        "summary": summary.removesuffix("."),
        "tags": [blueprint],
        "parameters": [
            *(_part(name) for name in sorted(rule.arguments)),
            *(_query(operation.parameters) if operation.parameters else ()),
        ],
        "responses": _responses(operation, counted=blueprint not in UNCOUNTED),
    }
    if more.strip():
        found["description"] = " ".join(more.split())
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    return found


def _part(name: str) -> dict[str, Any]:
    kind = {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": kind}


def _query(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    described = model.model_json_schema(schema_generator=_Schemas, mode="serialization")
    required = described.get("required", ())
    for name, kind in described["properties"].items():
        text = kind.pop("description", "")
        yield {
            "name": name,
            "in": "query",
            "description": text,
            "required": name in required,
            "schema": kind,
        }


def _responses(operation: Operation, *, counted: bool) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if operation.conditional:
        headers["ETag"] = {"$ref": "#/components/headers/ETag"}
    media = "application/json"
    shape: dict[str, Any] = {"type": "string"}
    text = "It is told as text."
    if isinstance(operation.answer, str):
        media = operation.answer
        if media == "application/json":
            shape, text = {"type": "object"}, "It is told as JSON."
    else:
        shape = _reference(operation.answer)
        text = inspect.getdoc(operation.answer) or ""
    found: dict[str, Any] = {
        str(operation.status): {
            "description": text,
            "headers": headers,
            "content": {media: {"schema": shape}},
        }
    }
    if operation.conditional:
        found["304"] = {"description": "It is what the ETag sent was given for."}
    for status in sorted({*operation.errors, *ALWAYS, *(COUNTED if counted else ())}):
        found[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return found


def _problem(status: int) -> dict[str, Any]:
    shape = _reference(schema.Problem)
    found: dict[str, Any] = {
        "description": PROBLEMS[status],
        "content": {"application/problem+json": {"schema": shape}},
    }
    if status == 429:
        found["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return found


def _header(text: str, kind: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


REFERENCE = "#/components/schemas/{model}"


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (schema.Problem, "serialization"): None
    }
    for each in operations:
        if not isinstance(each.answer, str):
            models[each.answer, "serialization"] = None
        if each.body is not None:
            models[each.body, "validation"] = None
    _, described = models_json_schema(
        list(models), ref_template=REFERENCE, schema_generator=_Schemas
    )
    return dict(sorted(described["$defs"].items()))


class _Schemas(GenerateJsonSchema):
    """JSON Schema as the API means it: in answers, what may be absent is not null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles that say a field's name again."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return a field with a default; in an answer it is there or left out."""
        inner = schema["schema"]
        if self.mode == "serialization" and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().default_schema(schema)
