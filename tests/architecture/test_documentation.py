"""What the texts point to is there: the files that they link, and the targets of make that they name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("", "charts", "docs", "k8s", "loadtests", "services", "tests")
TEXTS = sorted(
    path.relative_to(ROOT)
    for place in PLACES
    for path in (ROOT / place).glob("**/*.md" if place else "*.md")
    if ".venv" not in path.parts
)
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

pytestmark = pytest.mark.parametrize("text", TEXTS, ids=str)


def test_every_link_leads_to_a_file(text: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)", (ROOT / text).read_text())

    assert [] == [link for link in links if not (ROOT / text.parent / link).exists()]


def test_every_target_of_make_exists(text: Path) -> None:
    named = re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", (ROOT / text).read_text(), re.MULTILINE)

    assert set() == set(named) - TARGETS
