"""The API's own description (OpenAPI 3.1): as FastAPI sees it, put right where it is wrong."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agent.plan import Json
from agent.status.envelope import Failure

REFUSALS = {
    "400": "A parameter is wrong.",
    "401": "No valid token.",
    "403": "The token's role is too low, or a foreign Origin.",
    "421": "The gateway does not go by the name in Host.",
    "429": "Too many requests; see Retry-After.",
    "503": "The daemon does not answer.",
}
SECURITY = {
    "type": "http",
    "scheme": "bearer",
    "description": "Made on the gateway: fieldpost token add NAME --role viewer",
}
REFERENCE = "#/components/schemas/{model}"


def description(app: FastAPI) -> Json:
    """The document: our errors instead of FastAPI's, and the token every route needs."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schema = Failure.model_json_schema(ref_template=REFERENCE)
    components = found["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["schemas"] |= schema.pop("$defs", {}) | {"Failure": schema}
    components["securitySchemes"] = {"token": SECURITY}
    for methods in found["paths"].values():
        for operation in methods.values():
            _mend(operation)
    return found


def _mend(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    wanted = dict(REFUSALS)
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        wanted["404"] = "There is no such device."
    for code, text in sorted(wanted.items()):
        responses[code] = {"description": text, "content": content}
    operation["security"] = [{"token": []}]
