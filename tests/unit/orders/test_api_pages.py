"""What a newcomer meets at the API: a page that says what is where, and the documentation, which load nothing from anywhere."""

import json
import re
from html.parser import HTMLParser
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from chassis.http import reference, schema
from chassis.http.reference import limits, prefers_html
from orders.api import make_api
from orders.api.bodies import BODIES
from orders.ports import IntakeStore
from orders.settings import Settings

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NOTHING = cast("IntakeStore", None)


@pytest.fixture(scope="module")
def api() -> FastAPI:
    """The API without a database."""
    settings = Settings(database_url="postgresql+psycopg://h/d", broker_url="redis://h/0")
    return make_api(NOTHING, settings=settings, registry=CollectorRegistry())


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> set[str]:
        """Every value of this attribute."""
        return {value for _, found in self.elements if (value := found.get(name))}


def shown(api: FastAPI, path: str) -> Page:
    answer = TestClient(api).get(path, headers={"Accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return Page(answer.text)


def test_a_program_is_told_what_runs_and_where(api: FastAPI) -> None:
    told = TestClient(api).get("/").json()

    assert ("Orders", "1", "/docs") == (told["service"], told["version"], told["links"]["docs"])


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_every_link_of_a_page_leads_somewhere(api: FastAPI, path: str) -> None:
    page = shown(api, path)
    known = {*api.openapi()["paths"], "/", "/docs", "/openapi.json"}

    assert {href for href in page.values("href") if not href.startswith("#")} <= known
    assert {href[1:] for href in page.values("href") if href.startswith("#")} <= page.values("id")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_and_runs_nothing(api: FastAPI, path: str) -> None:
    page = shown(api, path)

    assert {"script", "link", "img", "iframe", "object"}.isdisjoint({tag for tag, _ in page.elements})
    assert set() == page.values("src")


def test_the_documentation_has_every_route_and_every_schema(api: FastAPI) -> None:
    page, document = shown(api, "/docs"), api.openapi()
    operations = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}

    assert operations | set(document["components"]["schemas"]) <= page.values("id")
    assert set(document["paths"]) <= set(re.findall(r"/[\w/{}]+", page.text))


def test_the_documentation_of_a_route_has_a_command_that_can_be_run(api: FastAPI) -> None:
    text = shown(api, "/docs").text

    assert "curl -X POST 'http://testserver/orders' \\\n  -H \"Authorization: Bearer $TOKEN\" \\\n" in text
    bodies = [json.loads(body) for body in re.findall(r"-d '(\{.*\})'", text)]
    assert {"LAMP"} == {line["sku"] for body in bodies for line in body.get("lines", [])}


@pytest.mark.parametrize("model", [model for model in BODIES if model.model_config.get("json_schema_extra")])
def test_every_example_of_a_body_is_a_good_body(model: Any) -> None:
    for example in model.model_config["json_schema_extra"]["examples"]:
        model.model_validate(example)


def test_what_a_description_says_is_text_and_no_markup() -> None:
    app = FastAPI(title="<b>T", description="<script>alert(1)</script>", docs_url=None, redoc_url=None)
    app.include_router(reference.routes(app, {"<i>": "/x"}))
    schema.complete(app, [])

    for path in ("/", "/docs"):
        assert {"script", "b", "i"}.isdisjoint({tag for tag, _ in shown(app, path).elements})


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML; q=0.5", True),
        ("application/json, text/html;q=0.9", False),
        ("text/html, application/json;q=0.9", True),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_html_is_for_those_who_ask_for_it(accept: str, expected: bool) -> None:
    assert expected is prefers_html(accept)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"minimum": 1, "maximum": 5}, "1 to 5"),
        ({"minItems": 1}, "at least 1 items"),
        ({"maxLength": 20, "pattern": "^a$"}, "at most 20 characters; matches ^a$"),
        ({"enum": ["a", "b"]}, "a | b"),
        ({"minimum": 0, "default": 0}, "at least 0; 0 when left out"),
        ({"anyOf": [{"maxLength": 3}, {"type": "null"}]}, "at most 3 characters"),
        ({}, ""),
    ],
)
def test_limits_are_said_in_short(given: dict[str, Any], expected: str) -> None:
    assert expected == limits(given)
