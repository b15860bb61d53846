"""Anthropic's betas: features that a request asks for by name.

Its clients name them in the header `anthropic-beta`. From the door on they stand in the body, as
Amazon has them, so that they are sealed, compared and tried again with the rest of the request.
What a beta means for the price decides: one that changes it is refused, and one that the table of
its host does not hold (`KNOWN` for Anthropic's own) is sent only where the customer's own key pays.

Sources: the types of anthropic 2.14 and the table of litellm 1.109 (November 2026).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from domain.errors import InvalidRequest

HEADER = "anthropic-beta"
FIELD = "anthropic_beta"
MAX_BETAS = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

# Families, whatever their dates, that bring what no price here covers: dearer tokens, calls of
# other models or of tools that the provider runs, tools that admission does not see, and files
# that are not kept apart by account.
UNPRICED: tuple[str, ...] = (
    "advisor-tool",
    "code-execution",
    "compact",
    "context-1m",
    "fallback-credit",
    "fast-mode",
    "files-api",
    "inline-tools",
    "mcp-client",
    "mcp-servers",
    "mcp-tunnels",
    "server-side-fallback",
    "skills",
    "web-fetch",
    "web-search",
)
# What changes the form of a request or an answer and nothing else. A later date may mean more.
KNOWN: frozenset[str] = frozenset(
    {
        "advanced-tool-use-2025-11-20",
        "cache-diagnosis-2026-04-07",
        "claude-code-20250219",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "extended-cache-ttl-2025-04-11",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "mid-conversation-tool-changes-2026-07-01",
        "model-context-window-exceeded-2025-08-26",
        "output-128k-2025-02-19",
        "pdfs-2024-09-25",
        "prompt-caching-2024-07-31",
        "prompt-caching-scope-2026-01-05",
        "redact-thinking-2026-02-12",
        "structured-outputs-2025-11-13",
        "structured-outputs-2025-12-15",
        "task-budgets-2026-03-13",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "thinking-token-count-2026-05-13",
        "token-efficient-tools-2025-02-19",
    }
)


def with_betas(headers: Sequence[str], body: dict[str, Any]) -> dict[str, Any]:
    """The body with the betas that its request's headers name, in one order and each once."""
    named = [name for header in headers for part in header.split(",") if (name := part.strip())]
    given = body.get(FIELD)
    if not named or (given is not None and not _are_texts(given)):
        return body
    return {**body, FIELD: sorted({*named, *(given or ())})}


def betas_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The betas that a body asks for."""
    given = body.get(FIELD)
    return tuple(dict.fromkeys(given)) if _are_texts(given) else ()


def require_priced(betas: Iterable[str], param: str) -> None:
    """Raises `InvalidRequest` for one that is no name, or brings what has no price."""
    for name in betas:
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"{name[:80]!r} is no name of a beta", param=param)
        if any(f"{name.lower()}-".startswith(f"{family}-") for family in UNPRICED):
            raise InvalidRequest(
                f"the beta {name} is not supported: it brings what has no price here",
                code="unsupported_parameter",
                param=param,
            )


def parted(
    body: Mapping[str, Any], known: Collection[str], *, all_of_them: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The betas that go to a host which takes the `known` ones, and those that do not."""
    asked = betas_of(body)
    taken = asked if all_of_them else tuple(name for name in asked if name in known)
    return taken, tuple(name for name in asked if name not in taken)


def label(beta: str) -> str:
    """What a beta is called among the parameters that were left out."""
    return f"{FIELD}[{beta}]"


def _are_texts(given: object) -> TypeGuard[list[str]]:
    return isinstance(given, list) and all(isinstance(one, str) for one in given)
