"""The description of the API: the document itself, and a page made from it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Blueprint, Response, current_app

from web.etag import conditional
from web.openapi import describes, document
from web.pages import Page, page

JSON = dict[str, Any]


def blueprint() -> Blueprint:
    """Return what tells the API of the application that it is registered with."""
    reference = Blueprint("reference", __name__)

    @cache
    def whole() -> JSON:
        """Return the document, made once: routes do not change while serving."""
        return document(current_app)

    @reference.get("/openapi.json")
    @describes("application/json", conditional=True)
    def openapi() -> Response:
        """Return this document: the API as OpenAPI 3.1."""
        return conditional(whole)

    @reference.get("/docs")
    @reference.get("/docs.md", endpoint="docs_twin")
    def docs() -> Page:
        """Show every endpoint with its parameters, answers and their fields."""
        return conditional(
            whole,
            show=lambda found: page(
                "reference.html",
                lambda: lines(found),
                info=found["info"],
                endpoints=list(endpoints(found)),
                schemas=found["components"]["schemas"],
                words=words,
                name=name,
            ),
        )

    return reference


def endpoints(document: JSON) -> Iterator[JSON]:
    """Yield each endpoint of `document`, what it refers to put in its place."""
    responses = document["components"]["responses"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = {
                status: responses[status] if "$ref" in answer else answer
                for status, answer in operation["responses"].items()
            }
            title = f"{method.upper()} {path}"
            yield {**operation, "title": title, "responses": answers}


def lines(document: JSON) -> Iterator[str]:
    """Yield the page as Markdown."""
    yield from (f"# API of {document['info']['title']}, version 1", "")
    for each in endpoints(document):
        yield from (f"## `{each['title']}`", "", f"{each['summary']}.", "")
        for one in each["parameters"]:
            required = ", required" if one["required"] else ""
            meaning = one.get("description") or "part of the path"
            yield f"- `{one['name']}` ({words(one['schema'])}{required}): {meaning}"
        if body := each.get("requestBody"):
            yield f"- body: {words(body['content']['application/json']['schema'])}"
        for status, answer in each["responses"].items():
            shapes = (one["schema"] for one in answer.get("content", {}).values())
            kinds = "".join(f" {words(shape)}:" for shape in shapes)
            yield f"- {status}:{kinds} {answer['description']}"
        yield ""
    for title, shape in document["components"]["schemas"].items():
        yield from (f"## {title}", "", shape.get("description", ""), "")
        for field, inner in shape.get("properties", {}).items():
            left_out = "" if field in shape.get("required", ()) else ", if known"
            yield f"- `{field}`: {words(inner)}{left_out}"
        yield ""


def name(shape: JSON) -> str | None:
    """Return the name of the object that `shape` is, or has many of, if it has one."""
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    inner = [
        *shape.get("anyOf", ()),
        shape.get("items"),
        shape.get("additionalProperties"),
    ]
    return next(
        (found for each in inner if isinstance(each, dict) and (found := name(each))),
        None,
    )


def words(shape: JSON) -> str:
    """Return what a value must be, in words: integer, 1 to 50."""
    if "$ref" in shape:
        return str(name(shape))
    if "anyOf" in shape:
        return " or ".join(words(each) for each in shape["anyOf"])
    if "enum" in shape or "const" in shape:
        values = shape.get("enum") or [shape["const"]]
        return f"one of {', '.join(map(str, values))}"
    kind = str(shape.get("type", "any value"))
    if kind == "array":
        return f"list of {words(shape.get('items', {}))}"
    if isinstance(inner := shape.get("additionalProperties"), dict):
        return f"object of {words(inner)}"
    return ", ".join([kind, *_bounds(shape)])


def _bounds(shape: JSON) -> Iterator[str]:
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
    ):
        low, high = shape.get(least), shape.get(most)
        if low is not None and high is not None:
            yield f"{low} to {high:,}{unit}"
        elif low is not None:
            yield f"at least {low}{unit}"
        elif high is not None:
            yield f"at most {high:,}{unit}"
