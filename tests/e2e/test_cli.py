"""The command line against a running engine."""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli import app
from tests.support.client import Account
from tests.support.engine import ADMIN_KEY, RunningEngine
from tests.support.scripted_provider import answer, error

Cli = Callable[..., Awaitable[Result]]


async def invoke(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    """Runs a command in a thread, so that an engine in this process can answer it."""
    return await asyncio.to_thread(
        CliRunner().invoke, app, list(arguments), input=stdin, env=environment
    )


@pytest.fixture
def admin(engine: RunningEngine) -> Cli:
    return _with_key(engine, ADMIN_KEY)


@pytest.fixture
def owner(engine: RunningEngine, account: Account) -> Cli:
    return _with_key(engine, account.api_key or "")


def _with_key(engine: RunningEngine, api_key: str) -> Cli:
    def run(*arguments: str, stdin: str | None = None) -> Awaitable[Result]:
        environment = {"GATEWAYZ_URL": engine.admin.base_url, "GATEWAYZ_API_KEY": api_key}
        return invoke(*arguments, stdin=stdin, **environment)

    return run


async def test_an_account_is_opened_given_credit_and_shown(admin: Cli) -> None:
    opened = json.loads((await admin("accounts", "create", "Acme", "--json")).stdout)
    account_id = opened["account"]["id"]
    granted = await admin("accounts", "credit", account_id, "5.00", "--reason", "welcome")
    assert granted.exit_code == 0
    shown = json.loads((await admin("accounts", "show", account_id, "--json")).stdout)
    assert (shown["name"], shown["balance"]["available_usd"]) == ("Acme", "5.00")
    assert "Acme" in (await admin("accounts", "list")).stdout


async def test_an_own_key_at_a_provider_is_read_from_outside_listed_and_removed(
    owner: Cli,
) -> None:
    key = "sk-of-the-customer"
    added = await owner("provider-keys", "add", "groq", "--fallback", "--json", stdin=f"{key}\n")
    made = json.loads(added.stdout)
    assert (made["provider"], made["last4"], made["fallback"]) == ("groq", "omer", True)
    listed = await owner("provider-keys", "list")
    assert "…omer" in listed.stdout
    assert key not in added.stdout + listed.stdout
    assert (await owner("provider-keys", "remove", made["id"])).exit_code == 0
    assert (await owner("provider-keys", "list", "--json")).stdout == ""
    refused = await owner("provider-keys", "add", "azure-openai", stdin=key)
    assert refused.exit_code == 1
    assert (await owner("provider-keys", "add", "groq", stdin="")).exit_code == 2


async def test_a_key_made_here_works_until_it_is_revoked(engine: RunningEngine, owner: Cli) -> None:
    made = json.loads((await owner("keys", "create", "ci", "--scope", "jobs", "--json")).stdout)
    key = _with_key(engine, made["api_key"])
    assert (await key("jobs", "list")).exit_code == 0
    assert (await owner("keys", "revoke", made["key"]["id"])).exit_code == 0
    refused = await key("jobs", "list")
    assert refused.exit_code == 1
    assert "revoked" in refused.stderr
    assert "revoked" in (await owner("keys", "list")).stdout


async def test_a_rotated_key_has_a_new_secret_and_an_updated_one_a_new_name(owner: Cli) -> None:
    made = json.loads((await owner("keys", "create", "ci", "--json")).stdout)
    key_id = made["key"]["id"]
    rotated = json.loads(
        (await owner("keys", "rotate", key_id, "--overlap", "1m", "--json")).stdout
    )
    assert rotated["api_key"] != made["api_key"]
    updated = await owner("keys", "update", key_id, "--name", "deploy", "--expires-in", "8h")
    assert "deploy" in updated.stdout


async def test_submitting_with_wait_prints_the_answer(engine: RunningEngine, owner: Cli) -> None:
    engine.upstream.script(answer("Forty-two."))
    done = await owner("jobs", "submit", "The answer?", "--model", "alpha", "--wait")
    assert (done.exit_code, done.stdout) == (0, "Forty-two.\n")


async def test_submitting_with_wait_exits_1_when_the_job_fails(
    engine: RunningEngine, owner: Cli
) -> None:
    engine.upstream.script(error(400))
    failed = await owner("jobs", "submit", "?", "--model", "alpha", "--wait", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["status"] == "failed"


async def test_a_body_comes_from_a_file_or_from_standard_input(owner: Cli, tmp_path: Path) -> None:
    body = json.dumps({"model": "embed", "input": ["one", "two"]})
    file = tmp_path / "body.json"
    file.write_text(body)
    for arguments, stdin in ((("--file", str(file)), None), ((), body)):
        done = await owner("jobs", "submit", "--wait", "--json", *arguments, stdin=stdin)
        assert [row["index"] for row in json.loads(done.stdout)["data"]] == [0, 1]


async def test_the_same_idempotency_key_makes_the_same_job(owner: Cli) -> None:
    options = ("--model", "alpha", "--idempotency-key", "order-7", "--json")
    first, second = [await owner("jobs", "submit", "Hello", *options) for _ in range(2)]
    assert json.loads(first.stdout)["id"] == json.loads(second.stdout)["id"]


async def test_jobs_are_listed_by_metadata(owner: Cli) -> None:
    for order in ("7", "8"):
        submitted = await owner(
            "jobs", "submit", "Hi", "--model", "alpha", "--metadata", f"order={order}"
        )
        assert submitted.exit_code == 0, submitted.stderr
    listed = await owner("jobs", "list", "--metadata", "order=8", "--json")
    jobs = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [job["metadata"] for job in jobs] == [{"order": "8"}]


async def test_watching_ends_with_the_terminal_event(owner: Cli) -> None:
    job = json.loads((await owner("jobs", "submit", "Hi", "--model", "alpha", "--json")).stdout)
    seen = await owner("jobs", "watch", job["id"], "--json")
    types = [json.loads(line)["type"] for line in seen.stdout.splitlines()]
    assert (types[0], types[-1]) == ("inference.job.accepted", "inference.job.completed")
    assert "inference.job.completed" in (await owner("jobs", "watch", job["id"])).stdout


async def test_cancelling_a_finished_job_is_refused(owner: Cli) -> None:
    await owner("jobs", "submit", "Hi", "--model", "alpha", "--wait")
    listed = await owner("jobs", "list", "--json", "--limit", "1")
    refused = await owner("jobs", "cancel", json.loads(listed.stdout)["id"])
    assert refused.exit_code == 1
    assert "job_finished" in refused.stderr


@pytest.mark.parametrize("name", ["[/x]", "[red]bob", "[link=http://x]y"])
async def test_a_name_is_shown_as_it_is(admin: Cli, name: str) -> None:
    opened = await admin("accounts", "create", name)
    assert (opened.exit_code, opened.exception) == (0, None)
    assert name in opened.stdout
    assert "gw_live_" in opened.stdout
    assert name in (await admin("accounts", "list")).stdout


@pytest.mark.parametrize("job_id", ["../../admin/accounts", "..", "x?status=queued", "x#y"])
async def test_an_id_reaches_no_other_route(admin: Cli, job_id: str) -> None:
    refused = await admin("jobs", "show", job_id)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "HTTP 404" in refused.stderr


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://x", "http://", "http://[::1", "http://a b"]
)
async def test_what_is_no_address_exits_2(url: str) -> None:
    done = await invoke("jobs", "list", "--url", url, "--api-key", "gw_x")
    assert (done.exit_code, url in done.stderr) == (2, True)


async def test_a_key_with_a_line_break_is_refused_in_words() -> None:
    done = await invoke("jobs", "list", "--api-key", "gw_live_x\n")
    assert done.exit_code == 2
    assert "line break" in done.stderr


async def test_a_list_has_every_page(owner: Cli, account: Account) -> None:
    for _ in range(21):
        await account.key("jobs")
    listed = await owner("keys", "list", "--json")
    assert len(listed.stdout.splitlines()) == 22


async def test_models_are_listed_with_their_prices(owner: Cli) -> None:
    listed = await owner("models")
    assert "acme/alpha" in listed.stdout
    assert "h1 1.00/2.00" in listed.stdout


async def test_models_are_searched_and_filtered(owner: Cli) -> None:
    listed = await owner("models", "alpha", "--where", "max_price=2", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == ["acme/alpha"]
    assert "acme/alpha" not in (await owner("models", "--where", "max_price=1")).stdout
    hosts = await owner("models", "gpt-4o-mini", "--all", "--hosts", "--where", "provider=openai")
    assert "openai:gpt-4o-mini" in hosts.stdout
    assert (await owner("models", "--where", "colour=red")).exit_code == 2


async def test_a_webhook_endpoint_is_made_listed_and_removed(owner: Cli) -> None:
    made = await owner("webhooks", "create", "http://127.0.0.1:9/hook", "--json")
    endpoint = json.loads(made.stdout)
    assert endpoint["signing_secret"].startswith("whsec_")
    assert endpoint["id"] in (await owner("webhooks", "list")).stdout
    assert (await owner("webhooks", "delete", endpoint["id"])).exit_code == 0
    assert endpoint["id"] not in (await owner("webhooks", "list")).stdout
    assert (await owner("webhooks", "deliveries")).exit_code == 0
    assert "whsec_" in (await owner("webhooks", "secret")).stdout


async def test_there_are_no_dead_letters_to_redrive(admin: Cli) -> None:
    assert (await admin("dead-letters", "list", "--json")).stdout == ""
    assert (await admin("dead-letters", "redrive", "dispatch", "1")).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("jobs", "submit", "Hi", "--model", "nope"), "model_not_found"),
        (("jobs", "show", "job_0"), "resource_not_found"),
        (("accounts", "list"), "insufficient_permissions"),
    ],
)
async def test_a_refusal_is_told_in_the_engines_words(
    owner: Cli, arguments: tuple[str, ...], said: str
) -> None:
    refused = await owner(*arguments)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "submit", "Hi"),
        ("jobs", "submit", "Hi", "--model", "alpha", "--metadata", "order"),
        ("jobs", "submit", "Hi", "--file", "x.json", "--model", "alpha"),
        ("jobs", "submit", "--file", "/nowhere/body.json"),
        ("keys", "create", "ci", "--expires-in", "soon"),
    ],
)
async def test_wrong_usage_exits_2(owner: Cli, arguments: tuple[str, ...]) -> None:
    assert (await owner(*arguments)).exit_code == 2


async def test_without_an_engine_the_exit_code_is_3() -> None:
    done = await invoke("jobs", "list", "--url", "http://127.0.0.1:9", "--api-key", "gw_x")
    assert done.exit_code == 3
    assert "http://127.0.0.1:9" in done.stderr


async def test_without_a_key_nothing_is_asked() -> None:
    done = await invoke("jobs", "list", GATEWAYZ_API_KEY="")
    assert done.exit_code == 2
    assert "GATEWAYZ_API_KEY" in done.stderr


async def test_the_help_says_what_exit_codes_mean() -> None:
    for arguments in ((), ("jobs",), ("log",)):
        assert "no engine answers" in " ".join((await invoke(*arguments, "--help")).stdout.split())


async def test_the_catalogue_is_a_page_or_a_document() -> None:
    assert "## `inference.job.accepted@1`" in (await invoke("catalogue")).stdout
    assert json.loads((await invoke("catalogue", "--json")).stdout)["events"]


async def test_checking_says_what_is_sold_and_what_is_not(tmp_path: Path) -> None:
    offers = [{"provider": "h1", "native_id": "a", "input": "1", "output": "2"}]
    unpriced = [{"provider": "h1", "native_id": "b"}]
    config = {
        "providers": {"h1": {"base_url": "http://127.0.0.1:9/v1"}},
        "models": {"acme/alpha": {"offers": offers}, "acme/beta": {"offers": unpriced}},
    }
    file = tmp_path / "gatewayz.yaml"
    file.write_text(json.dumps(config))
    done = await invoke("check", "--config", str(file))
    assert done.exit_code == 0
    sold = next(line for line in done.stdout.splitlines() if line.startswith("models on sale:"))
    assert "acme/alpha" in sold
    assert "acme/beta" not in sold
    assert "not sold for want of a price: acme/beta at h1" in done.stdout
    assert "searches of the web" not in done.stdout
    resold = await invoke("check", "--config", str(file), OPENROUTER_API_KEY="sk-or-x")
    (line,) = (one for one in resold.stdout.splitlines() if "searches of the web" in one)
    assert "perplexity/sonar at openrouter" in line


async def test_checking_names_what_is_set_and_not_applied(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.yaml"
    file.write_text("breaker: {window: 30}\n")
    done = await invoke("check", "--config", str(file), GATEWAYZ_LIMITS__ENABLED="true")
    assert done.exit_code == 0
    warned = [line for line in done.stderr.splitlines() if "not applied yet" in line]
    assert [line.split()[1] for line in warned] == ["limits"]
    assert (await invoke("check")).stderr == ""


async def test_a_model_that_no_endpoint_serves_is_not_on_sale(tmp_path: Path) -> None:
    offers = [{"provider": "simulator", "native_id": "a", "input": "1", "output": "2"}]
    file = tmp_path / "gatewayz.yaml"
    file.write_text(json.dumps({"models": {"acme/draw": {"kind": "image", "offers": offers}}}))
    done = await invoke("check", "--config", str(file))
    on_sale, *rest = [line for line in done.stdout.splitlines() if "sale" in line or "sold" in line]
    assert "acme/draw" not in on_sale
    assert rest == ["not sold, as no endpoint serves kind image: acme/draw"]


async def test_checking_finds_a_master_key_that_cannot_be_used(tmp_path: Path) -> None:
    done = await invoke("check", GATEWAYZ_MASTER_KEY="abc")
    assert (done.exit_code, "master key" in done.stderr) == (2, True)
    file = tmp_path / "master.key"
    file.write_text(base64.b64encode(bytes(32)).decode())
    for mode, code in ((0o644, 2), (0o600, 0)):
        file.chmod(mode)
        done = await invoke("check", GATEWAYZ_MASTER_KEY_FILE=str(file))
        assert done.exit_code == code, done.stderr


async def test_checking_makes_no_master_key(tmp_path: Path) -> None:
    assert (await invoke("check", "--data", str(tmp_path))).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_what_stops_a_start_is_told_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.yaml"
    file.write_text("aliases: {x: acme/none}\n")
    for command in (["check"], ["serve", "--port", "0", "--data", str(tmp_path / "data")]):
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli", *command, "--config", str(file)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert "acme/none" in done.stderr
        assert "Traceback" not in done.stderr
