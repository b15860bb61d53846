"""What every group of settings has in common."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of settings: unknown names are refused, values never change.

    What is not `applied` is read and checked, so that a configuration may hold it already.
    """

    applied: ClassVar[bool] = True

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True
    )


class Contradictions(ValueError):
    """Values that are each valid and together are not; `found` pairs a name with its problem."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in found))
        self.found = tuple(found)


def require_none(found: Sequence[tuple[str, str]]) -> None:
    """Raises `Contradictions` when there are any."""
    if found:
        raise Contradictions(found)
