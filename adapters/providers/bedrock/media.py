"""Images, documents and sound as blocks of Converse, which takes bytes and addresses in S3."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from domain.dialects.canonical import Audio, File, Image, Untranslatable

_IMAGES: Final[Mapping[str, str]] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_SOUNDS: Final = frozenset(
    {"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "m4a", "mpeg", "pcm", "webm"}
)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9\s()\[\]-]+")
_MAX_NAME: Final = 100


def image_block(image: Image) -> dict[str, Any]:
    """Raises `Untranslatable` for an address outside S3 and for other kinds of images."""
    kind = _IMAGES.get(image.media_type or _guessed(image.url))
    if kind is None:
        raise Untranslatable("the provider takes images as PNG, JPEG, GIF or WebP data")
    return {"image": {"format": kind, "source": _source(image.data, image.url)}}


def document_block(file: File, number: int) -> dict[str, Any]:
    """`number` tells documents of one request apart, since their names must differ."""
    media_type = "text/plain" if file.text is not None else file.media_type or _guessed(file.url)
    kind = _DOCUMENTS.get(media_type)
    if kind is None:
        raise Untranslatable("the provider does not take documents of this kind")
    data = file.data if file.text is None else b64encode(file.text.encode()).decode()
    name = " ".join(_NOT_IN_A_NAME.sub(" ", file.name or "document").split())[:_MAX_NAME]
    source = _source(data, file.url)
    return {"document": {"format": kind, "name": f"{name} {number}".strip(), "source": source}}


def audio_block(audio: Audio) -> dict[str, Any]:
    """Raises `Untranslatable` for formats that Converse does not know."""
    if audio.format not in _SOUNDS:
        raise Untranslatable(f"the provider takes no {audio.format} sound")
    return {"audio": {"format": audio.format, "source": {"bytes": audio.data}}}


def _source(data: str | None, url: str | None) -> dict[str, Any]:
    if data is not None:
        return {"bytes": data}
    if url is None or not url.startswith("s3://"):
        raise Untranslatable("the provider takes images and documents as data, not by address")
    return {"s3Location": {"uri": url}}


def _guessed(url: str | None) -> str:
    """The media type that the ending of an address speaks of."""
    ending = (url or "").rpartition(".")[2].lower().replace("jpg", "jpeg")
    known = {kind: media_type for media_type, kind in (*_IMAGES.items(), *_DOCUMENTS.items())}
    return known.get(ending, "")
