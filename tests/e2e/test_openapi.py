"""The OpenAPI document: generated requests are answered as it says, never with a 5xx."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.openapi import REFUSALS, REPLIES, WITHOUT_STORE
from api.schemas import SERVER_SENT_EVENT, TEXT
from domain.ids import HOUSE_ACCOUNT
from tests.support.client import Account, chat
from tests.support.engine import ADMIN_KEY, RunningEngine

EXAMPLES = 8
# Whose bodies another standard, or the customer's own request, describes.
OPEN = {"get_result", "get_asyncapi"}


async def known_ids(engine: RunningEngine) -> dict[str, str]:
    """The ids of things that there are, so that the requests get beyond 404."""
    house = Account(engine.admin, HOUSE_ACCOUNT, ADMIN_KEY)
    await house.credit("10.00")
    job_id = await house.submit(chat(metadata={"a": "b"}))
    await house.finished(job_id)
    (charge,) = await house.charges(job_id)
    key_id, _ = await house.key("jobs")
    own = await house.post("/v1/provider_keys", {"provider": "groq", "api_key": "sk-of-a-test"})
    endpoint = {"url": "http://127.0.0.1:9/hook", "event_types": ["job.completed"]}
    made = await house.post("/v1/webhook_endpoints", endpoint)
    return {
        "account_id": HOUSE_ACCOUNT,
        "job_id": job_id,
        "charge_id": charge["id"],
        "key_id": key_id,
        "provider_key_id": own.json["id"],
        "endpoint_id": made.json["id"],
    }


def configured(folder: Path, ids: dict[str, str]) -> None:
    """Tells the generator to use these ids in paths."""
    lines = [f'"path.{name}" = "{value}"' for name, value in ids.items()]
    (folder / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines]))


@pytest.mark.timeout(300)
async def test_every_generated_request_is_answered_as_documented(
    engine: RunningEngine, tmp_path: Path
) -> None:
    configured(tmp_path, await known_ids(engine))
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{engine.admin.base_url}/openapi.json"),
        *("--header", f"Authorization: Bearer {ADMIN_KEY}"),
        *("--checks", "not_a_server_error,status_code_conformance,response_schema_conformance"),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(EXAMPLES)),
        *("--seed", "7"),
        *("--generation-database", "none"),
        *("--request-timeout", "30"),
        *("--max-time", "30"),
        "--no-color",
    ]
    fuzzing = await asyncio.create_subprocess_exec(
        *command,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await fuzzing.communicate()
    assert fuzzing.returncode == 0, output.decode()


async def test_the_document_describes_every_route_that_a_customer_uses(
    engine: RunningEngine,
) -> None:
    paths = (await engine.admin.get("/openapi.json")).json["paths"]
    assert {"get", "post"} <= paths["/v1/jobs"].keys()
    assert {"get"} <= paths["/v1/jobs/{job_id}"].keys()
    assert {"post"} <= paths["/v1/webhook_endpoints"].keys()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its path."""
    for path, methods in document["paths"].items():
        yield from ((path, operation) for operation in methods.values())


async def test_operations_are_called_as_their_functions_each_by_a_name_of_its_own(
    engine: RunningEngine,
) -> None:
    document = (await engine.admin.get("/openapi.json")).json
    names = Counter(operation["operationId"] for _, operation in operations(document))
    assert set(names.values()) == {1}
    assert {"submit_job", "get_job", "list_keys", "grant_credit"} <= names.keys()
    assert REPLIES.keys() | REFUSALS.keys() | WITHOUT_STORE <= names.keys()


async def test_every_answer_in_json_has_a_schema(engine: RunningEngine) -> None:
    document = (await engine.admin.get("/openapi.json")).json
    for path, operation in operations(document):
        tags = {"Webhooks", "Inference"}
        if not tags.isdisjoint(operation["tags"]) or operation["operationId"] in OPEN:
            continue
        for status, response in operation["responses"].items():
            for media in response["content"].values():
                told = media["schema"]
                assert told in (TEXT, SERVER_SENT_EVENT) or "$ref" in told, (path, status)


async def test_a_route_names_the_refusals_that_it_can_make(engine: RunningEngine) -> None:
    document = (await engine.admin.get("/openapi.json")).json
    statuses = {
        operation["operationId"]: set(operation["responses"])
        for _, operation in operations(document)
    }
    assert statuses["get_health"] == {"200"}
    assert statuses["get_key"] == {"200", "400", "401", "403", "404"}
    paid = {name for name, found in statuses.items() if "402" in found}
    assert {"submit_job", "create_chat_completion", "create_message"} <= paid
    assert paid.isdisjoint({"list_keys", "get_job", "list_models", "get_balance"})


async def test_the_live_timeline_is_documented(engine: RunningEngine) -> None:
    document = (await engine.admin.get("/openapi.json")).json
    replies = document["paths"]["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]
    assert set(replies["content"]) == {"application/json", "text/event-stream"}
