"""What a request gives: parameters and bodies, checked, all faults at once."""

from typing import Any, TypeVar, get_origin

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

Model = TypeVar("Model", bound=BaseModel)

LISTED = 20
"""Faults named of one request: else an answer could be larger than what was sent."""


def parameters(model: type[Model]) -> Model:
    """Return the address's parameters; BadRequest naming each that is wrong.

    Those that are lists may be given more than once, of the others the first counts.
    """
    names = {
        field.alias or name: get_origin(field.annotation) is list
        for name, field in model.model_fields.items()
    }
    given: dict[str, Any] = {
        name: request.args.getlist(name) if several else request.args[name]
        for name, several in names.items()
        if name in request.args
    }
    return validated(model, given)


def body() -> Any:
    """Return the JSON of the body; UnsupportedMediaType if it says it is another.

    Raises BadRequest for what is not JSON, RequestEntityTooLarge for too much of it.
    """
    if not request.is_json:
        kind = request.mimetype or "none"
        message = f"the body's content type is {kind}; send application/json"
        raise UnsupportedMediaType(message)
    try:
        return request.get_json()
    except BadRequest:
        raise BadRequest("body: is not JSON") from None
    except RecursionError:
        raise BadRequest("body: is nested too deeply") from None


def validated(model: type[Model], given: Any) -> Model:
    """Return what was given as a `model`; BadRequest naming each fault."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadRequest(faults(error)) from error


def faults(error: ValidationError) -> str:
    """Return what is wrong with each parameter, the first LISTED of them."""
    found = [
        f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg'].lower()}"
        for each in error.errors(include_url=False, include_context=False)
    ]
    more = len(found) - LISTED
    return "; ".join(found[:LISTED] + ([f"and {more:,} more"] if more > 0 else []))
