"""Reads a form that a person filled in: a YAML file that maps names to what was written, each taken as it stands."""

from pathlib import Path

import yaml

from grader.errors import LabError

MOST_BYTES = 64 * 1024


class _Loader(yaml.BaseLoader):
    """Takes every value as its text: `8:00` is no number of seconds. Refuses a name that stands there twice."""


def _map(loader: yaml.BaseLoader, node: yaml.MappingNode) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a name and a text are wanted")
        if key.value in found:
            raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value!r} stands there twice")
        found[key.value] = value.value
    return found


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _map)


def filled_form(path: Path) -> dict[str, str]:
    """What a person wrote, by name. Raises LabError for what is no such file."""
    if path.stat().st_size > MOST_BYTES:
        raise LabError(f"{path} is larger than {MOST_BYTES // 1024} KiB")
    try:
        found = yaml.load(path.read_bytes(), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise LabError(f"{path}: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(found, dict):
        raise LabError(f"{path}: a map of names and texts is wanted")
    return found
