"""Which provider a row is of, and the provider's own id of the model, however a source spells it.

Where a region or a kind of deployment has prices of its own, it is a provider of its own, as
`bedrock-eu` or `azure-openai-us`: what one key can call is one provider.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from infra.model_data.rows import Row

_SIZE = re.compile(
    r"^((?:(?:low|medium|high|xhigh|max|standard|hd|auto)/)?[\dmax]+-x-[\dmax]+/(?:(?:\d+|max)-steps/)?)(.+)$"
)
_REGION = re.compile(
    r"^(global-standard|global|us-gov|us|eu|apac|jp|au|ca|in|sa|af|me|[a-z]{2}(?:-gov)?-[a-z]+-\d)[./](.+)$"
)
# Sold by the month, patterns, and names of price classes: nothing of these can be asked for.
_NO_ID = re.compile(
    r"commitment/|^ft:|\.ft-|^\*|/\*|^together-ai-|^fireworks-ai-|container$|/search$|up-to-"
)
_REGIONAL = ("azure-openai", "azure-ai-foundry", "bedrock", "bedrock-mantle")
# One source knows Google's two services as one; what others made is on Vertex alone.
_OF_GEMINI = re.compile(
    r"^(?:models/)?(?:gem|imagen|veo|lyria|learnlm|palm|text-|embedding|chat-bison|nano|aqa|deep-)"
)
# Hugging Face's router serves by other providers, named behind the id.
_ROUTED = "huggingface-"
_FULL_PATH = "accounts/fireworks/models/"
# Whose ids begin with the provider's own name in earnest, by a source that writes them as they are.
_EXACT = {("genai-prices", "perplexity")}


def placed(rows: Iterable[Row], spellings: Mapping[str, str | None]) -> Iterator[Row]:
    """Each row at our name of its provider and under the provider's id; what has none is left out.

    The source writes providers as `spellings` says, others as they are.
    """
    for row in rows:
        spelled = row.provider
        slug, native = _slug(spelled, spellings), row.native_id
        if (row.source, spelled) not in _EXACT:
            native = _without_provider(native, spelled)
        if slug == "google-gemini" and not _OF_GEMINI.match(native):
            slug = "google-vertex"
        if slug and slug.startswith(_ROUTED):
            slug, native = "huggingface", f"{native}:{slug.removeprefix(_ROUTED)}"
        if slug is None or _NO_ID.search(native) or not _may_be_called(slug, native):
            continue
        native, per_unit = _without_size(native, row.per_unit)
        if slug in _REGIONAL:
            slug, native = _regional(slug, native)
        yield replace(row, provider=slug, native_id=_whole(slug, native), per_unit=per_unit)


def _may_be_called(slug: str, native: str) -> bool:
    """Whether it is an id at all: rules also name families, and what is over for good."""
    if slug == "bedrock":
        return "." in native and not native.startswith("regional.")
    return not native.endswith(":beta")


def _slug(spelled: str, spellings: Mapping[str, str | None]) -> str | None:
    if spelled.startswith("vertex_ai"):
        return "google-vertex"
    return spellings.get(spelled, spelled.replace("_", "-"))


def _without_provider(native: str, spelled: str) -> str:
    """One source writes the provider before the id, by any of its spellings of it."""
    first, slash, rest = native.partition("/")
    family = re.split("[_-]", spelled)[0]
    shared = first.replace("_", "-"), spelled.replace("_", "-")
    begins = shared[0].startswith(shared[1]) or shared[1].startswith(shared[0])
    is_provider = begins and ("_" in first or first in (family, spelled))
    return rest if slash and is_provider else native


def _without_size(native: str, per_unit: dict[str, int]) -> tuple[str, dict[str, int]]:
    """An image's size and quality are no part of the id but of what is priced."""
    match = _SIZE.match(native)
    if match is None:
        return native, per_unit
    size = match[1].rstrip("/")
    kept = {f"{name} {size}": price for name, price in per_unit.items() if "pixel" not in name}
    return match[2].removeprefix("bedrock/"), kept


def _regional(slug: str, native: str) -> tuple[str, str]:
    """The region is told from the id at Azure; at Bedrock it stays a part of it, as is called."""
    match = _REGION.match(native)
    if match is None:
        return slug, native
    region = match[1].removesuffix("-standard")
    id_ = native if slug.startswith("bedrock") and native[len(match[1])] == "." else match[2]
    return (slug if region == "global" else f"{slug}-{region}"), id_


def _whole(slug: str, native: str) -> str:
    """Fireworks' ids are paths, which some sources cut short."""
    if slug == "fireworks" and "/" not in native:
        return _FULL_PATH + native
    return native
