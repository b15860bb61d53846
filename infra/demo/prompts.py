"""The prompts of the demo: a file of JSON lines, each one request without its model."""

from pathlib import Path
from typing import Any

import msgspec

from domain.inference.events import Endpoint

BUNDLED = Path(__file__).parents[1] / "data" / "prompts.jsonl"


class PromptFileProblem(Exception):
    """The file of prompts cannot be used; the text names the line."""


class Prompt(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One line: `prompt` (with a `system` text if wanted) or `messages` for a chat, `input` for
    embeddings.
    """

    category: str = "other"
    prompt: str | None = None
    system: str | None = None
    messages: list[dict[str, Any]] | None = None
    input: str | list[str] | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.prompt, self.messages, self.input)) != 1:
            raise ValueError("a line has one of prompt, messages and input")

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that takes it."""
        return "/v1/chat/completions" if self.input is None else "/v1/embeddings"

    def body(self, model: str) -> dict[str, Any]:
        """The endpoint's request body."""
        if self.input is not None:
            return {"model": model, "input": self.input}
        body: dict[str, Any] = {"model": model, "messages": self.messages or self._messages()}
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        return body

    def _messages(self) -> list[dict[str, Any]]:
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": self.prompt}]


def load_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file. Raises `PromptFileProblem`."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise PromptFileProblem(f"{path} cannot be read: {error.strerror}") from error
    prompts = [_prompt(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not prompts:
        raise PromptFileProblem(f"{path} has no prompts")
    return prompts


def _prompt(path: Path, number: int, line: bytes) -> Prompt:
    try:
        return msgspec.json.decode(line, type=Prompt)
    except msgspec.MsgspecError as error:
        raise PromptFileProblem(f"{path}, line {number}: {error}") from error
