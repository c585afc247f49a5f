"""Reads labs from labs/: the catalogue's lines and each lab's folder. Whatever is wrong is refused with file, key and value.

Everything comes from this checkout, never from a workspace.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from conductor.run_directory import CHECKOUT
from grader import checks
from grader.adapters import patches
from grader.checks import Strict
from grader.domain.lab import Check, Impossible, Lab, add_up, ordered
from grader.errors import LabInvalid, UnknownLab

LABS = CHECKOUT / "labs"
CATALOG = "catalog.yaml"
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_SLUG = 100
LEVELS = ("foundations", "intermediate", "production")
SERVERS = ("valkey", "rabbitmq", "payments", "carrier", "mail")
SHOP = "shop"
SYSTEMS = ("orders", "chassis")
"""What a lab may begin with, besides the shop of the labs: a package of services/, whole."""

FAULT = "fault.patch"
"""What a lab of a base may have instead of a starter: a patch that puts the fault into the base's files."""

MODEL = "model"
"""The answer that passes every check; the others in answers/ are wrong."""

MOST_CHECKS, MOST_SECONDS = 20, 600
"""Checks of a lab, and seconds of a check: how long a grading may take follows from them."""


Model = TypeVar("Model", bound=BaseModel)


class _Line(Strict):
    slug: str
    level: str
    points: int = Field(gt=0)
    needs: tuple[str, ...] = ()


class _Catalog(Strict):
    labs: tuple[_Line, ...]


class _Check(Strict):
    id: str = Field(pattern=SLUG.pattern)
    title: str = Field(min_length=1)
    points: int = Field(ge=0)
    kind: str
    parameters: dict[str, Any] = Field(default_factory=dict, alias="with")
    needs: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    seconds: float = Field(default=60, gt=0, le=MOST_SECONDS)
    hidden: bool = False
    hints: dict[str, str] = Field(default_factory=dict)


class _Lab(Strict):
    title: str = Field(min_length=1)
    minutes: int = Field(gt=0)
    base: Literal["shop", "orders", "chassis"] | None = None
    servers: tuple[str, ...] = ("valkey",)
    runtimes: tuple[Literal["local", "kubernetes"], ...] = ("local",)
    checks: tuple[_Check, ...] = Field(min_length=1, max_length=MOST_CHECKS)


def schema() -> dict[str, Any]:
    """The JSON schema of a lab.yaml; what stands below `with` is the kind's (grader.checks)."""
    return _Lab.model_json_schema()


class Catalog:
    """The labs of a folder."""

    def __init__(self, folder: Path = LABS) -> None:
        self.folder = folder
        self._lines = {line.slug: line for line in _lines(folder / CATALOG)}
        self._labs: dict[str, Lab] = {}

    def slugs(self) -> list[str]:
        """All labs, in the catalogue's order."""
        return list(self._lines)

    def lab(self, slug: str) -> Lab:
        """One of them, read and checked once. Raises UnknownLab and LabInvalid."""
        line = self._lines.get(slug)
        if line is None:
            raise UnknownLab(f'there is no lab "{slug}": `capstone lab list` names those there are')
        if slug not in self._labs:
            self._labs[slug] = _lab(self.folder / slug, line)
        return self._labs[slug]

    def path(self, slug: str) -> Path:
        """The folder of a lab."""
        self.lab(slug)
        return self.folder / slug


def starting_files(folder: Path, lab: Lab) -> list[Path]:
    """What makes a learner's workspace, each put over the one before: what the lab is based on, and its starter or its fault."""
    own = [path for name in ("starter", FAULT) if (path := folder / name).exists()]
    return [*([based_on(folder, lab.base)] if lab.base else []), *own]


def based_on(folder: Path, base: str) -> Path:
    """Where the files of a base lie: those of the shop beside the lab, those of a system among the services."""
    return folder.parent / base if base == SHOP else CHECKOUT / "services" / base


def answers(lab: Path) -> list[str]:
    """The names of a lab's answers: the model answer first, then the wrong ones."""
    names = sorted(path.name for path in (lab / "answers").iterdir() if path.is_dir())
    return sorted(names, key=lambda name: (name != MODEL, name))


def hint_sections(path: Path) -> dict[str, str]:
    """The sections of a hints.md by their titles; the text before the first title is for nobody."""
    parts = re.split(r"^## +(.+)$", path.read_text(), flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _lines(path: Path) -> Iterator[_Line]:
    seen: set[str] = set()
    for line in _read(path, _Catalog).labs:
        if not SLUG.fullmatch(line.slug):
            raise LabInvalid(f'{path}: slug "{line.slug}" may hold only a-z, 0-9 and single hyphens')
        if line.level not in LEVELS:
            raise LabInvalid(f'{path}: level "{line.level}" of {line.slug} is none of {", ".join(LEVELS)}')
        if line.slug in seen:
            raise LabInvalid(f'{path}: slug "{line.slug}" stands there twice')
        for needed in line.needs:
            if needed not in seen:
                raise LabInvalid(f'{path}: needs of {line.slug}: no lab above it is called "{needed}"')
        seen.add(line.slug)
        yield line


def _lab(folder: Path, line: _Line) -> Lab:
    path = folder / "lab.yaml"
    read = _read(path, _Lab)
    begins = folder / "starter" if read.base is None else based_on(folder, read.base)
    for name in ("README.md", "hints.md", begins):
        if not (folder / name).exists():
            raise LabInvalid(f"{folder}: {(folder / name).name} is missing")
    _fits(folder, read.base)
    for server in read.servers:
        if server not in SERVERS:
            raise LabInvalid(f'{path}: servers: "{server}" is none of {", ".join(SERVERS)}')
    hints = hint_sections(folder / "hints.md")
    found = [_check(path, number, check, hints, read.servers) for number, check in enumerate(read.checks)]
    try:
        add_up(found, line.points)
        order = ordered(found)
    except Impossible as error:
        raise LabInvalid(f"{path}: {error}") from error
    return Lab(
        slug=line.slug,
        level=line.level,
        points=line.points,
        needs=line.needs,
        title=read.title,
        minutes=read.minutes,
        servers=read.servers,
        checks=order,
        version=_version(folder, read.base),
        base=read.base or "",
        whole_system=read.base in SYSTEMS,
        runtimes=read.runtimes,
    )


def _fits(folder: Path, base: str | None) -> None:
    """Refuse a fault.patch that has no files to change, or others than those it was made for."""
    fault = folder / FAULT
    if not fault.exists():
        return
    if base is None or (folder / "starter").exists():
        raise LabInvalid(f"{fault}: a patch needs a `base` whose files it changes, and no starter beside it")
    patches.check(fault, based_on(folder, base))


def _check(path: Path, number: int, check: _Check, hints: dict[str, str], servers: tuple[str, ...]) -> Check:
    try:
        model = checks.parameters(check.kind)
    except KeyError:
        known = ", ".join(checks.kinds())
        raise LabInvalid(f'{path}: checks.{number}.kind: "{check.kind}" is no check kind; there are {known}') from None
    for reason, section in check.hints.items():
        if section not in hints:
            raise LabInvalid(f'{path}: checks.{number}.hints.{reason}: hints.md has no section "{section}"')
    for server in check.servers:
        if server not in servers:
            raise LabInvalid(
                f'{path}: checks.{number}.servers: "{server}" is none of those of the lab, {", ".join(servers)}'
            )
    return Check(
        id=check.id,
        title=check.title,
        points=check.points,
        kind=check.kind,
        parameters=_valid(path, model, check.parameters, f"checks.{number}.with."),
        needs=check.needs,
        servers=check.servers,
        seconds=check.seconds,
        hidden=check.hidden,
        hints={reason: hints[section] for reason, section in check.hints.items()},
    )


def _read(path: Path, model: type[Model]) -> Model:
    try:
        read = yaml.safe_load(path.read_text())
    except OSError as error:
        raise LabInvalid(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabInvalid(f"{path}: {' '.join(str(error).split())}") from error
    return _valid(path, model, read, "")


def _valid(path: Path, model: type[Model], read: object, prefix: str) -> Model:
    try:
        return model.model_validate(read)
    except ValidationError as error:
        raise LabInvalid(f"{path}: {first_of(error, prefix)}") from error


def first_of(error: ValidationError, prefix: str = "", shown: Callable[[object], str] = str) -> str:
    """What is wrong first with a file that was read: key, reason and the begin of the value."""
    first = error.errors()[0]
    key = prefix + ".".join(map(str, first["loc"]))
    return f"{key.rstrip('.')}: {first['msg']}, not {shown(first['input'])[:200]}"


def slugs_of(folder: Path) -> list[str]:
    """The slugs that the YAML files of a folder have for names; what an editor left there is none."""
    return [path.stem for path in folder.glob("*.yaml") if SLUG.fullmatch(path.stem)]


def file_of(folder: Path, slug: str) -> Path | None:
    """The YAML file of that name in a folder, if there is one."""
    path = folder / f"{slug}.yaml"
    return path if len(slug) <= LONGEST_SLUG and SLUG.fullmatch(slug) and path.is_file() else None


def _version(folder: Path, base: str | None) -> str:
    """A digest of what decides a verdict: the checks and what the learner starts from."""
    digest = hashlib.sha256()
    parts = [folder / "checks", folder / "starter", *([based_on(folder, base)] if base else [])]
    own = [(folder, path) for path in (folder / "lab.yaml", folder / FAULT) if path.exists()]
    for root, path in [*own, *((part, path) for part in parts for path in sorted(part.rglob("*")))]:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{root.name}/{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
