"""What somebody meets who comes with a browser or with curl: `/` says what runs here and where, `/docs` what the API takes and answers.

Both pages are made here, from the OpenAPI document, and need neither a script nor anything of another host: a cluster without a way out
shows them as well. Swagger UI and Redoc were left out because each weighs more than an image of the orders may still grow.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

METHODS = ("get", "post", "put", "patch", "delete")

# A page may load nothing and run nothing.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def routes(app: FastAPI, links: Mapping[str, str]) -> APIRouter:
    """The routes; `links` are the paths of the API's collections by what they hold."""
    router = APIRouter(include_in_schema=False)
    found = {
        "api": dict(links),
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": {"live": "/health/live", "ready": "/health/ready"},
    }

    @router.get("/")
    async def root(request: Request) -> Response:
        told = {"service": app.title, "description": app.description, "version": app.version, "links": found}
        if not prefers_html(request.headers.get("accept", "")):
            return JSONResponse(told, headers={"Vary": "Accept"})
        page = _template("root.html.j2").render(base=str(request.base_url).rstrip("/"), **told)
        return HTMLResponse(page, headers={"Vary": "Accept", **_HEADERS})

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        page = _template("docs.html.j2").render(document=app.openapi(), base=base, methods=METHODS)
        return HTMLResponse(page, headers=_HEADERS)

    return router


def prefers_html(accept: str) -> bool:
    """Whether this Accept header names HTML and likes nothing named better than it (RFC 9110, 12.5.1); `*/*` is curl, which gets JSON."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            weights[kind] = float(weight)
        except ValueError:
            weights[kind] = 0.0
    return weights.get("text/html", 0.0) > 0 and weights["text/html"] >= weights.get("application/json", 0.0)


def limits(schema: Mapping[str, Any]) -> str:
    """What a value must keep to, in short: `1 to 100`, `at most 200 characters`, a pattern."""
    said = []
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        low, high = schema.get(least), schema.get(most)
        if low is not None and high is not None:
            said.append(f"{low} to {high}{unit}")
        elif low is not None:
            said.append(f"at least {low}{unit}")
        elif high is not None:
            said.append(f"at most {high}{unit}")
    if "enum" in schema:
        said.append(" | ".join(map(str, schema["enum"])))
    if "pattern" in schema:
        said.append(f"matches {schema['pattern']}")
    if schema.get("default") is not None:
        said.append(f"{schema['default']} when left out")
    return "; ".join([*said, *filter(None, map(limits, schema.get("anyOf", ())))])


@cache
def _template(name: str) -> Any:
    import jinja2  # when somebody looks: an API starts faster without it

    folder = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=folder, autoescape=True)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters["limits"] = limits
    return environment.get_template(name)
