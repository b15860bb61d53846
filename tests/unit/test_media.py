"""What images, sound and files add to the input that money is set aside for."""

from typing import Any

import pytest

from domain.rating.media import IMAGE_TOKENS, LINKED_FILE_TOKENS, NO_MEDIA, Media, media_in

DATA = "A" * 1_000_000
ADDRESS = "https://a.example/b"


def found(part: dict[str, Any]) -> Media:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}]}
    return media_in(body)


def data_url(media_type: str) -> str:
    return f"data:{media_type};base64,{DATA}"


INLINE: dict[str, tuple[dict[str, Any], int]] = {
    "a chat's image": ({"image_url": {"url": data_url("image/png")}}, 100),
    "a response's image": ({"type": "input_image", "image_url": data_url("image/png")}, 100),
    "a message's image": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
        100,
    ),
    "sound": ({"input_audio": {"data": DATA, "format": "wav"}}, 100),
    "a file": ({"file": {"file_data": data_url("application/pdf")}}, 10),
    "a text as a file": ({"file": {"file_data": data_url("text/plain")}}, 5),
    "a message's file": (
        {"source": {"type": "base64", "media_type": "application/pdf", "data": DATA}},
        10,
    ),
}
LINKED: dict[str, tuple[dict[str, Any], int]] = {
    "a chat's image": ({"image_url": {"url": ADDRESS}}, IMAGE_TOKENS),
    "a response's image": ({"type": "input_image", "image_url": ADDRESS}, IMAGE_TOKENS),
    "a message's image": (
        {"type": "image", "source": {"type": "url", "url": ADDRESS}},
        IMAGE_TOKENS,
    ),
    "a message's file": (
        {"type": "document", "source": {"type": "url", "url": ADDRESS}},
        LINKED_FILE_TOKENS,
    ),
    "a chat's file": ({"file": {"file_id": "file-1"}}, LINKED_FILE_TOKENS),
    "a response's file": ({"type": "input_file", "file_url": ADDRESS}, LINKED_FILE_TOKENS),
    "a film": ({"video_url": {"url": ADDRESS}}, LINKED_FILE_TOKENS),
}


@pytest.mark.parametrize("name", INLINE)
def test_what_stands_in_the_request_counts_by_its_kind_and_not_as_text(name: str) -> None:
    part, bytes_a_token = INLINE[name]
    media = found(part)
    assert len(DATA) <= media.size < len(DATA) + 50
    assert media.tokens == pytest.approx(len(DATA) / bytes_a_token, rel=0.01)


@pytest.mark.parametrize("name", LINKED)
def test_what_is_only_named_counts_too(name: str) -> None:
    part, tokens = LINKED[name]
    assert found(part) == Media(0, tokens)


def test_a_small_image_counts_as_a_large_one() -> None:
    assert found({"image_url": "data:image/png;base64,AAAA"}).tokens == IMAGE_TOKENS


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": data_url("image/png")},
        {"type": "text", "text": 'the "image_url" of it'},
        {"source": {"type": "text", "media_type": "text/plain", "data": DATA}},
        {"image_url": None},
        {"type": "tool_use", "input": {"file_id": "file-1"}},
    ],
)
def test_text_is_text(part: dict[str, Any]) -> None:
    assert found(part) == NO_MEDIA
