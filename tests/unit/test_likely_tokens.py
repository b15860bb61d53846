"""Estimates without a tokeniser, against what OpenAI's o200k_base counts in the same texts."""

import json
import random
from base64 import b64encode
from pathlib import Path

import pytest

from domain.rating.likely import likely_tokens
from infra.tokenizers import known

PROSE = (
    "The log is the truth; everything else can be deleted and rebuilt. A decision is a pure "
    "function of past events and one command, and every message may come twice, and late; the "
    "second time changes nothing. An error says whether retrying can help.\n"
)
CODE = '''def tokens_to_hold(size: int) -> int:
    """Input tokens to set money aside for, given the size of the whole body in bytes."""
    if size < 0:
        raise ValueError(f"a size is never {size}")
    return -(-size * 2 // 5) + TEMPLATE_TOKENS


class Answered:
    def __init__(self, reply: ProviderReply, attempts: tuple[AttemptRecord, ...] = ()) -> None:
        self.reply = reply
        self._attempts = list(attempts)
'''
ROWS = [
    {"id": f"job_{number:04d}", "status": "completed", "cost_usd": "0.000123", "tokens": number}
    for number in range(20)
]
RUSSIAN = (
    "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. "  # noqa: RUF001
    "Всё смешалось в доме Облонских."
)
ARABIC = (
    "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق، وقد وهبوا عقلاً وضميراً وعليهم أن يعامل "
    "بعضهم بعضاً بروح الإخاء."
)
CHINESE = "人工智能正在改变世界,许多公司使用大型语言模型来回答客户的问题。床前明月光,疑是地上霜。"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
KOREAN = (
    "인공지능은 세상을 바꾸고 있습니다. "
    "많은 회사가 고객의 질문에 답하기 위해 언어 모델을 사용합니다."
)
GERMAN = (
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und "
    "Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen."
)
ENCODED = b64encode(random.Random(1).randbytes(3000)).decode()  # noqa: S311
# What o200k_base counts, and how far from it the estimate may be.
SAMPLES: dict[str, tuple[str, int, float]] = {
    "prose": (PROSE * 5, 260, 0.2),
    "code": (CODE, 115, 0.2),
    "json": (json.dumps(ROWS, separators=(",", ":")), 482, 0.25),
    "russian": (RUSSIAN, 34, 0.2),
    "arabic": (ARABIC, 43, 0.2),
    "chinese": (CHINESE, 31, 0.2),
    "japanese": (JAPANESE, 32, 0.3),
    "korean": (KOREAN, 28, 0.2),
    "german": (GERMAN, 38, 0.2),
    "pictures": ("Great 🎉🎉 thanks 😀! " * 5, 41, 0.2),
    "base64": (ENCODED, 2723, 0.2),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_an_estimate_is_near_what_a_tokeniser_counts(kind: str) -> None:
    text, counted, bound = SAMPLES[kind]
    assert abs(likely_tokens(text) / counted - 1) <= bound


def test_an_estimate_grows_with_the_factor_of_its_model() -> None:
    assert likely_tokens(PROSE, 1.35) > likely_tokens(PROSE) * 1.3


def test_nothing_is_no_token() -> None:
    assert likely_tokens("") == 0


def test_every_model_has_a_tokeniser_or_one_that_is_near() -> None:
    patterns = [tokenizer.models for tokenizer in known().tokenizers]
    assert patterns[-1] == "*"
    assert len(set(patterns)) == len(patterns)


def test_the_names_of_vocabularies_lead_nowhere_else() -> None:
    assert all(
        Path(vocabulary.file_name).name == vocabulary.file_name
        for vocabulary, _ in known().vocabularies
    )
