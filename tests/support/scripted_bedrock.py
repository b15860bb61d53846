"""Replies of Amazon Bedrock: bodies of Converse, and event streams in real frames."""

import json
import struct
from binascii import crc32
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.scripted_upstream import Answering, sending

EVENT_STREAM = "application/vnd.amazon.eventstream"
USAGE = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
_TEXT_HEADER = 7


def frame(headers: Mapping[str, str], payload: Mapping[str, Any]) -> bytes:
    """One message of an event stream, with both of its checksums."""
    told = b"".join(_header(name, value) for name, value in headers.items())
    content = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(told) + len(content), len(told))
    message = prelude + struct.pack("!I", crc32(prelude)) + told + content
    return message + struct.pack("!I", crc32(message))


def event(kind: str, payload: Mapping[str, Any]) -> bytes:
    """An event of Converse's stream."""
    headers = {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return frame(headers, {**payload, "p": "abcdefghij"})


def exception(kind: str, message: str) -> bytes:
    """An exception within a stream."""
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, {"message": message})


def events(
    blocks: Iterable[Mapping[str, Any]],
    stop: str = "end_turn",
    usage: Mapping[str, Any] | None = None,
    **more: Any,
) -> list[bytes]:
    """The frames of a whole answer: blocks as a whole reply has them, cut into deltas."""
    told = [event("messageStart", {"role": "assistant"})]
    for index, block in enumerate(blocks):
        told += _block(index, block)
    told.append(event("messageStop", {"stopReason": stop, **more}))
    metadata = {"usage": usage or USAGE, "metrics": {"latencyMs": 5}}
    return [*told, event("metadata", metadata)]


def streamed(
    frames: Iterable[bytes], *, portion: int | None = None, cut: bool = False
) -> Answering:
    """These frames as a reply."""
    return sending(b"".join(frames), EVENT_STREAM, portion=portion, cut=cut)


def converse(
    blocks: Iterable[Mapping[str, Any]],
    stop: str = "end_turn",
    usage: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The body of a whole reply."""
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": dict(usage or USAGE),
        "metrics": {"latencyMs": 5},
        **more,
    }


def refused(status: int, kind: str, message: str = "secret text") -> Answering:
    """An exception in place of a reply."""
    headers = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/"}
    return sending({"message": message}, status=status, headers=headers)


def _block(index: int, block: Mapping[str, Any]) -> list[bytes]:
    at = {"contentBlockIndex": index}
    told: list[bytes] = []
    if use := block.get("toolUse"):
        start = {"toolUse": {name: use[name] for name in use if name != "input"}}
        told.append(event("contentBlockStart", {**at, "start": start}))
        arguments = json.dumps(use["input"]) if use["input"] else ""
        deltas: list[dict[str, Any]] = [{"toolUse": {"input": part}} for part in _halves(arguments)]
    elif reasoning := block.get("reasoningContent"):
        deltas = [{"reasoningContent": part} for part in _reasoning(reasoning)]
    else:
        deltas = [{"text": part} for part in _halves(block["text"])]
    told += [event("contentBlockDelta", {**at, "delta": delta}) for delta in deltas]
    return [*told, event("contentBlockStop", at)]


def _reasoning(reasoning: Mapping[str, Any]) -> list[dict[str, Any]]:
    said = reasoning.get("reasoningText")
    if said is None:
        return [dict(reasoning)]
    deltas: list[dict[str, Any]] = [{"text": part} for part in _halves(said["text"])]
    return [*deltas, {"signature": said["signature"]}]


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


def _header(name: str, value: str) -> bytes:
    told = value.encode()
    head = struct.pack("!B", len(name)) + name.encode() + struct.pack("!B", _TEXT_HEADER)
    return head + struct.pack("!H", len(told)) + told
