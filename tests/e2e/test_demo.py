"""`gatewayz demo`: the main job, in a process as a newcomer runs it."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from infra.demo.models import NoSuchModel, choose_models
from infra.demo.prompts import BUNDLED, Prompt, PromptFileProblem, load_prompts
from tests.e2e.test_cli import invoke

CHATS = [
    {"category": "test", "prompt": f"Question {number}?", "max_tokens": 20} for number in range(36)
]
EMBEDDINGS = [{"category": "test", "input": ["one", "two"]}] * 4


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """Fewer than the bundled ones, so that it is quick."""
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in [*CHATS, *EMBEDDINGS]))
    return file


def _environment() -> dict[str, str]:
    """This process's, without any provider's key."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}


async def test_the_demo_survives_its_crash_and_says_so(prompts: Path, tmp_path: Path) -> None:
    arguments = ["demo", "--json", "--prompts", str(prompts), "--keep", str(tmp_path / "kept")]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "infra.cli", *arguments],
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert [finding for finding in report["findings"] if not finding["holds"]] == []
    assert report["outcomes"] == {"succeeded": 40}
    assert 13 <= report["done_at_the_crash"] < 40
    assert report["provider"] == "simulator"
    assert sum(float(line["amount_usd"]) for line in report["charge"]["lines"]) > 0
    verified = await invoke("projections", "verify", "--data", str(tmp_path / "kept" / "data"))
    assert verified.exit_code == 0


def test_the_bundled_prompts_are_many_and_varied() -> None:
    prompts = load_prompts(BUNDLED)
    assert len(prompts) >= 100
    assert len({prompt.category for prompt in prompts}) >= 20
    assert len({json.dumps(prompt.body("m")) for prompt in prompts}) == len(prompts)
    assert Counter(prompt.endpoint for prompt in prompts)["/v1/embeddings"] >= 5
    assert sum(len(prompt.prompt or "") > 1_000 for prompt in prompts) >= 5


@pytest.mark.parametrize(
    "line", ['{"prompt": "a", "input": "b"}', '{"category": "a"}', '{"promt": "a"}', "Hello"]
)
def test_a_wrong_line_of_a_prompt_file_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "fine"}\n' + line + "\n")
    with pytest.raises(PromptFileProblem, match="line 2"):
        load_prompts(file)


def test_a_system_text_comes_before_the_prompt() -> None:
    body = Prompt(prompt="Hi", system="Be brief.", max_tokens=5).body("m")
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["max_tokens"] == 5


def test_without_a_provider_the_simulator_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    chosen = choose_models(None, None)
    assert (chosen.chat, chosen.embedding) == ("simulator/chat", "simulator/embed")
    assert chosen.is_simulated


def test_with_an_openai_key_alone_openai_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    chosen = choose_models(None, None)
    assert chosen.chat == "openai/gpt-4o-mini"
    assert chosen.embedding == "openai/text-embedding-3-small"


def test_the_cheapest_real_model_is_asked_unless_another_is_named(tmp_path: Path) -> None:
    def model(name: str, price: str) -> dict[str, object]:
        offer = {"provider": "h1", "native_id": name, "input": price, "output": price}
        return {f"acme/{name}": {"offers": [offer]}}

    config = {
        "providers": {"h1": {"base_url": "http://127.0.0.1:9/v1"}},
        "models": {**model("dear", "0.002"), **model("cheap", "0.001")},
    }
    file = tmp_path / "gatewayz.yaml"
    file.write_text(json.dumps(config))
    assert choose_models(file, None).chat == "acme/cheap"
    assert choose_models(file, "acme/dear").chat == "acme/dear"
    with pytest.raises(NoSuchModel):
        choose_models(file, "acme/none")


async def test_a_directory_to_keep_must_be_empty(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    done = await invoke("demo", "--keep", str(tmp_path), "--json")
    assert done.exit_code == 2
    assert "not empty" in done.stderr
