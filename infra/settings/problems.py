"""What is wrong with the settings, all of it at once and by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from infra.settings.section import Contradictions


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting by its dotted name, and what is wrong with it; never its value."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class SettingsProblem(Exception):
    """The settings cannot be used; the text lists every problem, a line each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.name))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(error: ValidationError) -> Iterator[Problem]:
    """The problems that a validation found."""
    for found in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in found["loc"])
        cause = found.get("ctx", {}).get("error")
        if isinstance(cause, Contradictions):
            under = f"{name}." if name else ""
            yield from (Problem(f"{under}{inner}", problem) for inner, problem in cause.found)
        else:
            yield Problem(name, _message(found, cause))


def _message(found: Any, cause: object) -> str:
    if found["type"] == "extra_forbidden":
        return "there is no such setting"
    if found["type"] == "missing":
        return "is required"
    return str(cause) if cause is not None else str(found["msg"])
