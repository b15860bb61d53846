"""Reading the configuration file: YAML, with `${NAME}` and `${NAME:-default}` from outside."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.settings.problems import Problem, SettingsProblem

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def read_file(path: Path) -> dict[str, Any]:
    """The file's values as they stand. Raises `SettingsProblem`."""
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unreadable(path, f"is not YAML: {_place(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise _unreadable(path, "holds no names at its top")
    return {str(name): value for name, value in values.items()}


def expanded(
    values: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """`values` with every variable replaced, and those that are missing outside of providers.

    A provider that needs a missing variable is disabled instead, and says which it was.
    """
    problems: list[Problem] = []
    result: dict[str, Any] = {}
    for name, value in values.items():
        if name == "providers" and isinstance(value, Mapping):
            result[name] = {key: _provider(one, environment) for key, one in value.items()}
            continue
        missing: dict[str, str] = {}
        result[name] = _expand(value, environment, missing, name)
        problems += [Problem(at, f"{variable} is not set") for at, variable in missing.items()]
    return result, problems


def _provider(value: Any, environment: Mapping[str, str]) -> Any:
    missing: dict[str, str] = {}
    provider = _expand(value, environment, missing, "")
    if missing:
        whole = {name: one for name, one in provider.items() if f".{name}" not in missing}
        return {**whole, "unset_variables": sorted(set(missing.values()))}
    return provider


def _expand(value: Any, environment: Mapping[str, str], missing: dict[str, str], at: str) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _replacement(found, environment, missing, at), value)
        case dict():
            return {
                name: _expand(one, environment, missing, f"{at}.{name}")
                for name, one in value.items()
            }
        case list():
            return [
                _expand(one, environment, missing, f"{at}.{index}")
                for index, one in enumerate(value)
            ]
        case _:
            return value


def _replacement(
    found: re.Match[str], environment: Mapping[str, str], missing: dict[str, str], at: str
) -> str:
    name, default = found.groups()
    value = environment.get(name) or default
    if value is None:
        missing[at] = name
        return ""
    return value


def _unreadable(path: Path, why: str) -> SettingsProblem:
    return SettingsProblem([Problem(str(path), why)])


def _place(error: Exception) -> str:
    # The parser's own text quotes the line at fault, which may hold a secret.
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be decoded"
    return f"{problem}, line {mark.line + 1}" if mark else str(problem)
