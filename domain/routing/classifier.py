"""What a prompt about code asks for: a classifier by keywords and structure, local and cheap.

It reads the latest text for its words, and no more than its first few thousand characters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "agentic",  # many steps over many files, with tools
    "architecture",  # how a system is to be built
    "debugging",
    "refactoring",
    "generation",
    "explanation",
    "simple_edit",  # a typo, a name, a comment
]
READ_CHARACTERS = 4_000
# A small edit of so long a text is none.
_LONG_CHARACTERS = 1_500


@dataclass(frozen=True, slots=True)
class _Signs:
    """Any of these: a word that begins so, or a phrase."""

    category: Category
    beginnings: tuple[str, ...]
    phrases: tuple[str, ...] = ()


# The first that is found decides.
_SIGNS: tuple[_Signs, ...] = (
    _Signs(
        "simple_edit",
        ("typo", "misspel", "rename", "reword", "whitespace", "indentation", "capitali"),
        ("spelling", "bump the version", "add a comment", "remove the comment", "unused import"),
    ),
    _Signs(
        "agentic",
        ("autonomous", "agentic"),
        (
            *("end-to-end", "end to end", "entire repo", "entire codebase", "whole repo"),
            *("whole codebase", "across all files", "across the codebase", "until all tests pass"),
            *("until the tests pass", "run the tests until", "open a pull request"),
        ),
    ),
    _Signs(
        "architecture",
        ("architect", "microservice", "scalab", "tradeoff"),
        (
            *("system design", "design the", "design a ", "design an ", "trade-off"),
            *("data model", "high-level design", "design pattern", "schema design"),
        ),
    ),
    _Signs(
        "debugging",
        (
            *("debug", "bug", "traceback", "stacktrace", "exception", "segfault", "crash", "fail"),
            *("fix", "broken", "deadlock", "valueerror", "typeerror", "keyerror", "error"),
        ),
        ("stack trace", "doesn't work", "does not work", "not working", "memory leak", "error:"),
    ),
    _Signs(
        "refactoring",
        (
            *("refactor", "cleanup", "simplif", "restructur", "migrat", "moderni", "optimi"),
            *("deduplicat", "convert"),
        ),
        ("clean up", "port this", "port the", "extract a ", "extract the"),
    ),
    _Signs(
        "explanation",
        ("explain", "summari", "describe", "document", "docstring", "review"),
        ("what does", "what is", "what are", "how does", "how do", "why does", "walk me through"),
    ),
    _Signs(
        "generation",
        (
            *("write", "implement", "create", "build", "generate", "add", "make", "code"),
            *("function", "class", "script", "test"),
        ),
    ),
)
_WORD = re.compile(r"[a-z]+")
_HARD = (
    *("prove", "proof", "theorem", "derive", "analy", "compar", "strateg", "legal", "contract"),
    *("diagnos", "research", "plan", "optimi", "algorithm", "equation", "integral", "code"),
    *("refactor", "debug", "architect"),
)


def classify(texts: Sequence[str]) -> Category | None:
    """What is asked for, by the latest of the texts; None when nothing tells."""
    text, words = _read(texts)
    for signs in _SIGNS:
        if signs.category == "simple_edit" and len(texts[-1] if texts else "") > _LONG_CHARACTERS:
            continue
        if any(word.startswith(signs.beginnings) for word in words):
            return signs.category
        if any(phrase in text for phrase in signs.phrases):
            return signs.category
    return None


def difficulty(texts: Sequence[str]) -> float:
    """How much a prompt asks of a model, from 0 (a greeting) to 1, by its size and its words."""
    _, words = _read(texts)
    hard = sum(word.startswith(_HARD) for word in words)
    return min(1.0, sum(map(len, texts)) / 8_000 + 0.25 * hard)


def _read(texts: Sequence[str]) -> tuple[str, set[str]]:
    text = texts[-1][:READ_CHARACTERS].lower() if texts else ""
    return text, set(_WORD.findall(text))
