"""How many tokens a text is likely to be, without a tokeniser.

Fitted to OpenAI's vocabulary o200k: within a fifth for prose in most languages and for code, a
quarter for JSON and Japanese. Characters are told apart by how many of them a token takes.
"""

import re
from math import ceil
from string import ascii_letters, digits

# Without a break, letters and digits by the hundred are no words: base64, keys, hashes.
_LONG = 200
_ENCODED = re.compile(rb"[A-Za-z0-9+/=]{200,}")
_WORD_BYTES = (ascii_letters + digits).encode()
_ASCII = re.compile("[\x00-\x7f]+")
# Characters beyond ASCII by script, and how many of them a token takes: Chinese, Japanese and
# Korean; Greek and Cyrillic; pictures; all others.
_SCRIPTS = (
    (re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef]"), 1.4),
    (re.compile("[\u0370-\u052f]"), 3.6),
    (re.compile("[\U00010000-\U0010ffff]"), 0.7),
)
_OF_OTHERS = 2.6
# Characters of ASCII that a token takes.
_OF_ENCODED = 1.45
_OF_WORDS = 4.6
_OF_MARKS = 1.9
_OF_SPACES = 20


def likely_tokens(text: str, factor: float = 1.0) -> int:
    """The likely number of tokens; `factor` is what a model takes for one of o200k."""
    content, beyond = text.encode("ascii", "ignore"), 0.0
    if len(content) != len(text):
        beyond = _beyond_ascii(text)
    encoded = 0
    if len(content) >= _LONG:
        encoded = sum(len(found.group()) for found in _ENCODED.finditer(content))
        content = _ENCODED.sub(b"", content) if encoded else content
    unspaced = content.translate(None, delete=b" ")
    marks = len(unspaced.translate(None, delete=_WORD_BYTES))
    tokens = (
        beyond
        + encoded / _OF_ENCODED
        + (len(unspaced) - marks) / _OF_WORDS
        + marks / _OF_MARKS
        + (len(content) - len(unspaced)) / _OF_SPACES
    )
    return ceil(tokens * factor)


def _beyond_ascii(text: str) -> float:
    left, tokens = _ASCII.sub("", text), 0.0
    for script, characters in _SCRIPTS:
        rest = script.sub("", left)
        tokens, left = tokens + (len(left) - len(rest)) / characters, rest
    return tokens + len(left) / _OF_OTHERS
