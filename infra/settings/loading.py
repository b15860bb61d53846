"""Loading the settings: arguments, environment, file, built-ins; the first that says so wins."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from infra.settings.builtin import builtin_values
from infra.settings.file import expanded, read_file
from infra.settings.problems import Problem, SettingsProblem, problems_of
from infra.settings.root import ENV_PREFIX, Settings, settings_class

CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
# Read by the project's tests.
TEST_PREFIX = f"{ENV_PREFIX}TEST_"
# Read by the command line itself.
COMMAND_LINE_VARIABLES = {
    CONFIG_VARIABLE,
    *(f"{ENV_PREFIX}{name}" for name in ("DATA", "URL", "API_KEY")),
}


def load_settings(config: Path | None = None, **arguments: Any) -> Settings:
    """The settings of this process.

    `config` is the YAML file, by default that of `GATEWAYZ_CONFIG`, else none. Arguments that
    are None do not count. Raises `SettingsProblem` that lists everything that is wrong.
    """
    environment = dict(os.environ)
    path = config or _config_path(environment)
    in_file = {} if path is None else read_file(path)
    values, problems = expanded(in_file, environment)
    problems += _unknown_variables(environment)
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        settings = settings_class(values, builtin_values(environment))(**given)
    except ValidationError as error:
        # A value that a missing variable left empty is told once.
        told = {problem.name for problem in problems}
        problems += [one for one in problems_of(error) if one.name not in told]
    except SettingsError as error:
        problems.append(Problem("environment", str(error)))
    else:
        if not problems:
            return settings
    raise SettingsProblem(problems)


def _config_path(environment: Mapping[str, str]) -> Path | None:
    text = environment.get(CONFIG_VARIABLE)
    return Path(text) if text else None


def _unknown_variables(environment: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(name, "there is no such setting")
        for name in environment
        if name.startswith(ENV_PREFIX)
        and not name.startswith(TEST_PREFIX)
        and name not in COMMAND_LINE_VARIABLES
        and name.removeprefix(ENV_PREFIX).partition("__")[0].lower() not in Settings.model_fields
    ]
