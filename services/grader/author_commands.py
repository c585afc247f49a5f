"""`capstone lab new`, `prove` and `repeat`, for who writes labs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from conductor.command_line import as_typed

Slug = Annotated[str, typer.Argument(help="The lab's name, as `capstone lab list` says it.")]
Runtime = Annotated[str, typer.Option(help="local, or kubernetes: in a namespace of its own where kubectl points.")]
Tag = Annotated[str, typer.Option(help="Of the images in the cluster, as `make images` builds them.")]


def shown(path: Path) -> str:
    """A path as a person at this terminal would write it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def new(
    slug: Slug, level: Annotated[str, typer.Option(help="foundations, intermediate or production")] = "foundations"
) -> None:
    """Write the skeleton of a lab; docs/authoring-labs.md goes on from there."""
    from grader.authoring import new as made
    from grader.catalog import LABS

    folder = made(slug, level, LABS)
    print(f"{shown(folder)} is there, with a line in {shown(LABS / 'catalog.yaml')}")
    print(as_typed(f"`capstone lab prove {slug} --write` grades its answers"))


def kinds(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the JSON schemas of lab.yaml and of each kind.")
    ] = False,
) -> None:
    """Say what each check kind may be told below `with`, for who writes labs."""
    from grader import checks
    from grader.catalog import schema

    every = {kind: checks.parameters(kind).model_json_schema() for kind in checks.kinds()}
    if as_json:
        print(json.dumps({"lab.yaml": schema(), "kinds": every}))
        return
    for kind, of in every.items():
        print(f"{kind}: {of['description']}")
        for name, about in of["properties"].items():
            needed = " (needed)" if name in of.get("required", ()) else ""
            print(f"  {name}{needed}: {about.get('description', about.get('title', ''))}")


def prove(
    slugs: Annotated[list[str] | None, typer.Argument(help="Labs; all when left out.")] = None,
    parallel: Annotated[int, typer.Option(min=1, help="So many gradings at a time.")] = 1,
    answer: Annotated[str, typer.Option(help="Only this answer.")] = "",
    write: Annotated[bool, typer.Option(help="Take what wrong answers get as expected; read the diff.")] = False,
    since: Annotated[
        str,
        typer.Option(
            help="Only labs of which a file is another than in this commit; a lab of each check kind when the grader is."
        ),
    ] = "",
    within: Annotated[
        float,
        typer.Option(
            min=0, help="Only a share of the labs, which takes so many seconds, as earlier gradings tell; 0 for all."
        ),
    ] = 0,
    turn: Annotated[
        int, typer.Option(min=0, help="Which share: numbers that follow each other take one after the other.")
    ] = 0,
    runtime: Runtime = "local",
    tag: Tag = "dev",
) -> None:
    """Grade the answers of labs, for who writes labs: each must get exactly the verdict that is expected of it.

    `??` is before one that this machine was too busy to judge, also when it was graded once more; that is no failure.
    """
    from grader import boxes
    from grader.catalog import Catalog
    from grader.choosing import answer_seconds, bounded
    from grader.choosing import chosen as chosen_labs
    from grader.proving import prove as proofs

    catalog, wrong = Catalog(), 0
    asked = chosen_labs(catalog, slugs or [], since)
    chosen = bounded(catalog, asked, within * parallel, turn) if within else asked
    if since or within:
        print(f"labs: {', '.join(chosen) or 'none'}", flush=True)
    if left_out := [slug for slug in asked if slug not in chosen]:
        print(f"left to other turns, because all take longer than {within:g} s: {', '.join(left_out)}", flush=True)
    make = boxes.chosen([catalog.lab(slug) for slug in chosen], runtime, tag)
    takes = answer_seconds(catalog)
    for proof in proofs(catalog, chosen, make, parallel=parallel, write=write, only=answer, takes=takes):
        sound = proof.holds or (write and not proof.untold and proof.answer[0] != "(" and proof.answer != "model")
        wrong += not (sound or proof.too_busy)
        mark = "ok" if sound else "??" if proof.too_busy else "NO"
        said = f"{proof.lab:22} {proof.answer:28} {proof.got['points']:3} points  {proof.seconds:6.1f} s"
        print(f"{mark:3} {said}", flush=True)
        if not sound:
            print(f"    expected {json.dumps(proof.expected)}\n    got      {json.dumps(proof.got)}")
            print("".join(f"      {line}\n" for line in proof.details), end="", flush=True)
    if wrong:
        raise typer.Exit(1)


def repeat(
    slugs: Annotated[list[str] | None, typer.Argument(help="Labs; all when left out.")] = None,
    times: Annotated[int, typer.Option(min=0, help="So many gradings of each answer.")] = 5,
    parallel: Annotated[int, typer.Option(min=1, help="So many gradings at a time.")] = 1,
    busy: Annotated[int, typer.Option(min=0, help="So many of them with every core kept busy by something else.")] = 0,
    answer: Annotated[str, typer.Option(help="Only this answer.")] = "",
    remember: Annotated[
        Path | None,
        typer.Option(
            help="A file of earlier gradings: they count while what decides the verdict is the same, and new ones are added."
        ),
    ] = None,
) -> None:
    """Grade every answer of labs several times, and print a table. The status is 1 when one got another verdict than is expected."""
    from grader import gradings, repeating
    from grader.adapters import confining
    from grader.catalog import Catalog

    catalog = Catalog()
    if busy > times:
        raise typer.BadParameter(f"{busy} of {times} gradings cannot be with busy cores", param_hint="--busy")
    every = [] if remember is None else gradings.remembered(remember)
    chosen = slugs or catalog.slugs()
    before = tuple(every)
    grading = repeating.repeated(
        catalog,
        chosen,
        confining.best,
        times=times,
        busy_times=busy,
        parallel=parallel,
        only=answer,
        before=before,
    )
    for one in grading:
        every.append(one)
        if remember is not None:
            gradings.remember(remember, one)
    rows = [one for one in gradings.summed(catalog, every) if one.lab in chosen and answer in ("", one.answer)]
    print("\n".join([gradings.HEAD, *(one.row() for one in rows)]), flush=True)
    if any(one.otherwise for one in rows):
        raise typer.Exit(1)
