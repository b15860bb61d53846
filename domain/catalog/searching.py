"""Which models search the web at every request, told by the ids that hosts give them.

Hosts bill such searches beside the tokens, and say at most afterwards how many there were.
"""

import re

# Searches to set money aside for: of models that answer after one or a few, and of those that
# follow up what they find. What is made beyond is not charged.
MOST = 10
MOST_OF_RESEARCH = 100
_BY_RESEARCH = r"\bdeep-research\b|\bdeepsearch\b|\bresearcher\b|^brave-research\b"
_RESEARCH = re.compile(_BY_RESEARCH, re.IGNORECASE)
_SEARCHING = re.compile(
    _BY_RESEARCH + "|"
    r"\bsonar\b(?!.*-chat\b)"  # Perplexity's; those called chat answer from memory
    r"|[-:]online\b"
    r"|(?<!relace)-search(?:-(?:preview|api)\b|$)"  # Relace's searches code that it is given
    r"|^(?:brave|exa)(?:-|$)"  # NanoGPT's, by these two engines
    r"|(?:^|/)compound(?:-|$)",  # Groq's
    re.IGNORECASE,
)


def searches(native_id: str) -> bool:
    """Whether it searches without being asked to."""
    return _SEARCHING.search(native_id) is not None


def billed_once(
    native_id: str, request: int | None, search: int | None
) -> tuple[int | None, int | None]:
    """What is charged for a request and for a search, of what hosts and sources tell of both.

    What searches unasked is billed for it, and once: in the dearer of the ways that are told, for
    prices of other models are written beside it. Others search only when asked, which is not sold.
    """
    if searches(native_id) and (search or 0) > (request or 0):
        return None, search
    return request, None


def is_research(native_id: str) -> bool:
    """Whether it makes many searches for an answer, each of which is billed."""
    return _RESEARCH.search(native_id) is not None


def most_searches(native_id: str) -> int:
    """How many searches of one answer are charged at most."""
    return MOST_OF_RESEARCH if is_research(native_id) else MOST
