"""What `gatewayz jobs submit` sends: the request body from a prompt, a file or standard input."""

import json
import sys
from pathlib import Path
from typing import Any

import typer


def job_request(prompt: str | None, file: Path | None, model: str | None) -> dict[str, Any]:
    """`endpoint` and `body` of a submission.

    A prompt becomes a chat message. A file, or standard input without either, holds the JSON
    body of a chat completion or, when it has an `input`, of an embeddings request.
    """
    if prompt is not None and file is not None:
        raise typer.BadParameter("give a prompt or --file, not both")
    if prompt is not None:
        body: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]}
    else:
        body = _parsed(_read(file))
    if model is not None:
        body["model"] = model
    if "model" not in body:
        raise typer.BadParameter("which model? pass --model, or name it in the body")
    endpoint = "/v1/embeddings" if "input" in body else "/v1/chat/completions"
    return {"endpoint": endpoint, "body": body}


def pairs(given: list[str]) -> dict[str, str]:
    """`k=v` arguments as a mapping."""
    split = [text.partition("=") for text in given]
    for name, sign, _ in split:
        if not (name and sign):
            raise typer.BadParameter(f"{name!r} is not of the form key=value")
    return {name: value for name, _, value in split}


def _read(file: Path | None) -> str:
    if file is None or str(file) == "-":
        if sys.stdin.isatty():
            raise typer.BadParameter("give a prompt, --file, or a body on standard input")
        return sys.stdin.read()
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise typer.BadParameter("the body is no JSON object")
    return body
