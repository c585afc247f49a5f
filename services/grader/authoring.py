"""Writes the skeleton of a new lab: a folder with every part that a lab has, and its line in the catalogue."""

import shutil
from pathlib import Path

from grader.catalog import CATALOG, LEVELS, MODEL, SLUG, Catalog
from grader.errors import LabInvalid

FILES = {
    "lab.yaml": """\
title: {title}
minutes: 30
servers: [valkey]
checks:
  - id: worker
    title: The worker starts and has the task
    points: 2
    kind: worker
    seconds: 45
    with: {{ app: tasks, tasks: [double] }}
    hints: {{ otherwise: The worker does not start }}

  - id: values
    title: The task returns twice its argument
    points: 3
    kind: call
    needs: [worker]
    seconds: 20
    with:
      cases:
        - {{ task: double, args: [21], value: 42 }}
    hints: {{ otherwise: Another value }}
""",
    "README.md": """\
# {title}

What you will see broken, what counts as fixed, and where the broker is: `redis://localhost:6379/0`. Never the command that repairs it.
""",
    "hints.md": """\
Each section is a hint; `lab.yaml` says which reason leads to which.

## The worker does not start

A question that leads to what the worker printed.

## Another value

A question that leads to the fault.
""",
    "starter/tasks.py": '"""What the learner begins with."""\n\nfrom celery import Celery\n\napp = Celery("tasks")\n',
    f"answers/{MODEL}/tasks.py": '''\
"""The answer that passes every check."""

from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)


@app.task
def double(number):
    return 2 * number
''',
    "answers/no-result/tasks.py": '''\
"""A wrong answer: what the task returns is kept nowhere."""

from celery import Celery

app = Celery("tasks", broker="redis://localhost:6379/0")


@app.task
def double(number):
    return 2 * number
''',
    "answers/wrong-value/tasks.py": '''\
"""A wrong answer: it adds where it should multiply."""

from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)


@app.task
def double(number):
    return 2 + number
''',
}

POINTS = 5


def new(slug: str, level: str, catalog: Path) -> Path:
    """Make the folder and append the line; the folder. Raises LabInvalid for a name that is taken or no name."""
    if not SLUG.fullmatch(slug):
        raise LabInvalid(f'slug "{slug}" may hold only a-z, 0-9 and single hyphens')
    if level not in LEVELS:
        raise LabInvalid(f'level "{level}" is none of {", ".join(LEVELS)}')
    folder = catalog / slug
    if folder.exists() or slug in Catalog(catalog).slugs():
        raise LabInvalid(f'there is a lab "{slug}" already')
    making = catalog / f".making-{slug}"
    shutil.rmtree(making, ignore_errors=True)
    for name, text in FILES.items():
        path = making / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(title=slug.replace("-", " ").capitalize()) if not name.endswith(".py") else text)
    (making / "checks").mkdir()
    making.rename(folder)
    with (catalog / CATALOG).open("a") as lines:
        lines.write(f"  - {{ slug: {slug}, level: {level}, points: {POINTS} }}\n")
    return folder
