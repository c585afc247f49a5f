"""A lab that cannot be used is refused with file, key and value, before anything starts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conductor.errors import ConductorError
from grader import checks
from grader.adapters import workspaces
from grader.adapters.box import around
from grader.adapters.bubblewrap import Bubblewrap
from grader.authoring import new
from grader.catalog import MODEL, Catalog, answers, based_on, starting_files
from grader.errors import LabInvalid, UnknownLab
from grader.exams import papers
from grader.proving import expected_answers


@pytest.fixture
def labs(tmp_path: Path) -> Path:
    (tmp_path / "catalog.yaml").write_text("labs:\n  - { slug: older, level: foundations, points: 5 }\n")
    new("fine", "foundations", tmp_path)
    return tmp_path


def refused(labs: Path) -> str:
    with pytest.raises(ConductorError) as caught:
        Catalog(labs).lab("fine")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new_text", "said"),
    [
        ("title: Fine", "title: Fine\ncolour: red", "lab.yaml: colour: Extra inputs are not permitted, not red"),
        (
            "seconds: 20",
            "seconds: 601",
            "lab.yaml: checks.1.seconds: Input should be less than or equal to 600, not 601",
        ),
        ("points: 3", "points: 4", "lab.yaml: points: the checks add up to 6, the catalogue says 5"),
        ("points: 3", "points: many", "lab.yaml: checks.1.points: Input should be a valid integer"),
        ("kind: call", "kind: telepathy", 'lab.yaml: checks.1.kind: "telepathy" is no check kind; there are call, '),
        ("kind: call", "kind: ../call", 'lab.yaml: checks.1.kind: "../call" is no check kind'),
        ("needs: [worker]", "needs: [values]", "lab.yaml: needs: values wait for each other in a cycle"),
        ("needs: [worker]", "needs: [nobody]", 'no check has the id "nobody"'),
        (
            "tasks: [double]",
            "tasks: [double], pace: 9",
            "lab.yaml: checks.0.with.pace: Extra inputs are not permitted, not 9",
        ),
        ("value: 42", "value: 42, fails: true", "it cannot both have a value and fail"),
        ("otherwise: Another value", "otherwise: Nothing like it", 'hints.md has no section "Nothing like it"'),
        ("servers: [valkey]", "servers: [oracle]", 'servers: "oracle" is none of valkey, rabbitmq'),
        (
            "needs: [worker]",
            "servers: [rabbitmq]",
            'checks.1.servers: "rabbitmq" is none of those of the lab, valkey',
        ),
        ("title: Fine", "title: [", "lab.yaml: while parsing"),
    ],
)
def test_a_wrong_key_or_value_is_named(labs: Path, old: str, new_text: str, said: str) -> None:
    path = labs / "fine" / "lab.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new_text, 1))

    assert said in refused(labs)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{ slug: ../etc, level: foundations, points: 5 }", 'slug "../etc" may hold only a-z'),
        ("{ slug: fine, level: foundations, points: 5 }", 'slug "fine" stands there twice'),
        ("{ slug: other, level: easy, points: 5 }", 'level "easy" of other is none of'),
        ("{ slug: other, level: foundations, points: 0 }", "points: Input should be greater than 0, not 0"),
        ("{ slug: other, level: foundations, points: 5, needs: [later] }", 'no lab above it is called "later"'),
        ("{ slug: other, level: foundations, points: 5, stars: 3 }", "stars: Extra inputs are not permitted, not 3"),
    ],
)
def test_a_wrong_line_of_the_catalogue_is_named(labs: Path, line: str, said: str) -> None:
    with (labs / "catalog.yaml").open("a") as catalog:
        catalog.write(f"  - {line}\n")

    assert f"{labs}/catalog.yaml" in refused(labs)
    assert said in refused(labs)


def test_a_lab_has_no_more_checks_than_a_grading_may_take(labs: Path) -> None:
    path = labs / "fine" / "lab.yaml"
    lab = yaml.safe_load(path.read_text())
    one = lab["checks"][0]
    lab["checks"] = [{**one, "id": f"check-{number}", "points": 0} for number in range(21)]
    path.write_text(yaml.safe_dump(lab))

    assert "lab.yaml: checks: Tuple should have at most 20 items after validation, not 21" in refused(labs)


@pytest.mark.parametrize("slug", ["../fine", "nothing", "", "fine/../fine", "FINE"])
def test_only_what_the_catalogue_names_is_a_lab(labs: Path, slug: str) -> None:
    with pytest.raises(UnknownLab, match=f'there is no lab "{slug}"'):
        Catalog(labs).lab(slug)


@pytest.mark.parametrize(("slug", "said"), [("../up", "may hold only"), ("fine", "already"), ("a--b", "may hold only")])
def test_a_new_lab_needs_a_name_of_its_own(labs: Path, slug: str, said: str) -> None:
    with pytest.raises(LabInvalid, match=said):
        new(slug, "foundations", labs)


def test_a_part_that_is_missing_is_named(labs: Path) -> None:
    shutil.rmtree(labs / "fine" / "starter")

    assert "starter is missing" in refused(labs)


def test_a_lab_of_the_shop_begins_with_the_shop(labs: Path) -> None:
    path = labs / "fine" / "lab.yaml"
    path.write_text(path.read_text().replace("minutes: 30", "minutes: 30\nbase: shop"))
    without = refused(labs)
    (labs / "shop").mkdir()
    begins = starting_files(labs / "fine", Catalog(labs).lab("fine"))
    before = Catalog(labs).lab("fine").version
    (labs / "shop" / "orders.py").write_text("other code")

    assert "shop is missing" in without
    assert [labs / "shop", labs / "fine" / "starter"] == begins
    assert before != Catalog(labs).lab("fine").version


PATCH = """\
--- a/orders.py
+++ b/orders.py
@@ -1,2 +1,2 @@
 one = 1
-two = 2
+two = 3
"""


@pytest.fixture
def repaired(labs: Path) -> Path:
    """A lab whose fault is a patch of the base's only file."""
    path = labs / "fine" / "lab.yaml"
    path.write_text(path.read_text().replace("minutes: 30", "minutes: 30\nbase: shop"))
    (labs / "shop").mkdir()
    (labs / "shop" / "orders.py").write_text("one = 1\ntwo = 2\n")
    shutil.rmtree(labs / "fine" / "starter")
    (labs / "fine" / "fault.patch").write_text(PATCH)
    return labs


def test_a_workspace_begins_with_the_fault(repaired: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lab = Catalog(repaired).lab("fine")
    text, workspace = repaired / "fine" / "lab.yaml", tmp_path_factory.mktemp("work") / "fine"

    workspaces.start(starting_files(repaired / "fine", lab), text, workspace)

    assert "one = 1\ntwo = 3\n" == (workspace / "orders.py").read_text()
    assert 2 == len(list(workspace.iterdir()))
    assert "one = 1\ntwo = 2\n" == (repaired / "shop" / "orders.py").read_text()


def test_a_workspace_inside_a_checkout_begins_with_the_fault(repaired: Path) -> None:
    subprocess.run(["git", "-C", repaired, "init", "--quiet"], check=True)
    lab, workspace = Catalog(repaired).lab("fine"), repaired / "labs-work" / "fine"

    workspaces.start(starting_files(repaired / "fine", lab), repaired / "fine" / "lab.yaml", workspace)

    assert "one = 1\ntwo = 3\n" == (workspace / "orders.py").read_text()


def test_another_fault_is_another_version(repaired: Path) -> None:
    before = Catalog(repaired).lab("fine").version
    (repaired / "fine" / "fault.patch").write_text(PATCH.replace("two = 3", "two = 4"))

    assert before != Catalog(repaired).lab("fine").version


def test_a_fault_that_no_longer_applies_is_named(repaired: Path) -> None:
    (repaired / "shop" / "orders.py").write_text("one = 1\ntwo = 22\n")

    assert refused(repaired) == (
        f"{repaired}/fine/fault.patch: it does not fit shop/: patch failed: orders.py:1 orders.py: patch does not apply"
    )


def test_a_machine_without_git_is_told_so(repaired: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repaired))

    assert f"{repaired}/fine/fault.patch: git, which puts it into shop/, is not installed" == refused(repaired)


def test_a_fault_is_put_into_a_base_and_nothing_else(repaired: Path) -> None:
    (repaired / "fine" / "starter").mkdir()
    with_starter = refused(repaired)
    shutil.rmtree(repaired / "fine" / "starter")
    path = repaired / "fine" / "lab.yaml"
    path.write_text(path.read_text().replace("base: shop\n", ""))

    assert "fault.patch: a patch needs a `base`" in with_starter
    assert "starter is missing" in refused(repaired)


def test_a_lab_without_two_wrong_answers_is_not_proved(labs: Path) -> None:
    shutil.rmtree(labs / "fine" / "answers" / "no-result")

    with pytest.raises(LabInvalid, match="at least 2 wrong ones"):
        expected_answers(Catalog(labs), "fine")


def test_another_starting_point_is_another_version(labs: Path) -> None:
    before = Catalog(labs).lab("fine").version
    (labs / "fine" / "answers" / "note.txt").write_text("other words")
    same = Catalog(labs).lab("fine").version
    (labs / "fine" / "starter" / "tasks.py").write_text("other code")

    assert (True, False) == (before == same, before == Catalog(labs).lab("fine").version)


@pytest.mark.parametrize("slug", Catalog().slugs())
def test_every_lab_of_the_catalogue_can_be_used(slug: str) -> None:
    lab, folder = Catalog().lab(slug), Catalog().path(slug)

    assert MODEL == answers(folder)[0]
    assert [] == [name for name in answers(folder)[1:] if not (folder / "answers" / f"{name}.json").exists()]
    assert all(check.hints for check in lab.checks)


def test_reading_labs_waits_for_no_client_of_a_broker() -> None:
    # They take most of a second to import, which whoever asks for a hint would wait for.
    code = (
        "import sys; from grader.catalog import Catalog; every = Catalog(); [every.lab(one) for one in every.slugs()]; "
    )
    code += "print(*{'celery', 'kombu', 'redis'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "\n" == ended.stdout


def test_every_folder_of_labs_is_in_the_catalogue() -> None:
    assert sorted(path.parent.name for path in Catalog().folder.glob("*/lab.yaml")) == sorted(Catalog().slugs())


@pytest.mark.parametrize("kind", checks.kinds())
def test_every_kind_says_what_it_may_be_told(kind: str) -> None:
    schema = checks.parameters(kind).model_json_schema()

    assert (False, True) == (schema["additionalProperties"], bool(schema["description"]))


@pytest.mark.parametrize("slug", [slug for slug in Catalog().slugs() if Catalog().lab(slug).whole_system])
def test_the_patches_of_a_lab_on_a_system_fit_it_as_it_is_today(slug: str, tmp_path: Path) -> None:
    lab, folder = Catalog().lab(slug), Catalog().path(slug)
    whole = {path: path.read_bytes() for path in sorted(based_on(folder, lab.base).rglob("*.py"))}
    for answer in answers(folder):
        (tmp_path / answer).mkdir()
        for files in [*starting_files(folder, lab), folder / "answers" / answer]:
            workspaces.overlay(files, tmp_path / answer)
    changed = {
        answer: [
            path.name
            for path, text in whole.items()
            if (tmp_path / answer / path.relative_to(based_on(folder, lab.base))).read_bytes() != text
        ]
        for answer in answers(folder)
    }

    assert [] == changed.pop(MODEL)
    assert all(changed.values())


def test_a_lab_on_a_system_runs_outside_the_box_and_counts_for_nothing() -> None:
    lab = Catalog().lab("charged-twice")

    assert not around(lab, Bubblewrap(Path("bwrap"), as_root=False)).confined
    assert lab.slug not in {
        one for slug in papers.slugs() for part in papers.exam(slug).parts for group in part.labs for one in group
    }
