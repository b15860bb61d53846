"""What nobody may read in the data directory or in what the server writes."""

from pathlib import Path

import pytest

from tests.support.client import Account, chat, client
from tests.support.engine import ADMIN_KEY, configuration, engine_process
from tests.support.scripted_provider import ScriptedProvider, answer, error
from tests.support.webhook_receiver import Reply, WebhookReceiver

PROMPT = "the planted prompt of a customer"
LONG_PROMPT = "the planted long prompt of a customer " * 4000
ANSWER = "the planted answer of a model"
PROVIDER_KEY = "sk-planted-credential-of-ours"
OWN_KEY = "sk-planted-credential-of-a-customer"
REFUSED_KEY = "sk-planted key that is refused"


async def busy_hours(owner: Account, receiver: WebhookReceiver) -> list[str]:
    """Uses everything that handles a secret; returns the secrets that it met."""
    endpoint = {"url": receiver.url, "event_types": ["job.completed"]}
    made = await owner.post("/v1/webhook_endpoints", endpoint)
    rotated = await owner.post(f"/v1/webhook_endpoints/{made.json['id']}/rotate_secret")
    default = await owner.get("/v1/webhook_endpoints/default/secret")
    key_id, second = await owner.key("jobs")
    new_key = await owner.post(f"/v1/keys/{key_id}/rotate", {"overlap_seconds": 60})
    own = {"provider": "h1", "api_key": OWN_KEY, "fallback": True}
    assert (await owner.post("/v1/provider_keys", own)).status == 201
    await owner.post("/v1/provider_keys", {**own, "api_key": REFUSED_KEY})
    await owner.post("/v1/provider_keys", {**own, "provider": OWN_KEY, "api_key": None})
    for prompt in (PROMPT, LONG_PROMPT, PROMPT):
        await owner.finished(await second.submit(chat(prompt, webhook={"url": receiver.url})))
    await owner.post("/v1/jobs", {"body": PROMPT})
    await owner.with_key("gw_live_planted_unknown_key").get("/v1/jobs")
    await receiver.count(4, timeout=20)
    return [
        owner.api_key or "",
        second.api_key or "",
        new_key.json["api_key"],
        made.json["signing_secret"],
        rotated.json["signing_secret"],
        default.json["key"],
        "gw_live_planted_unknown_key",
    ]


@pytest.mark.parametrize("ending", ["kill", "stop"])
async def test_no_planted_secret_is_found_in_any_file_or_line(tmp_path: Path, ending: str) -> None:
    async with ScriptedProvider() as upstream, WebhookReceiver() as receiver:
        refusal = error(401, message=OWN_KEY)
        upstream.script(answer(ANSWER), refusal, answer(ANSWER), error(400, message=PROMPT))
        receiver.answer(Reply(500))
        config = configuration(upstream.base_url, logging={"level": "debug"})
        config["providers"]["h1"]["api_key"] = PROVIDER_KEY
        async with engine_process(tmp_path, config) as process:
            async with client(process.base_url, ADMIN_KEY) as admin:
                secrets = await busy_hours(await admin.account(), receiver)
            if ending == "stop":
                assert await process.stop() == 0
    used = {request.headers["Authorization"] for request in upstream.requests}
    assert used == {f"Bearer {OWN_KEY}", f"Bearer {PROVIDER_KEY}"}
    planted = [PROMPT, LONG_PROMPT[:60], ANSWER, PROVIDER_KEY, ADMIN_KEY, *secrets]
    planted += [OWN_KEY, REFUSED_KEY]
    files = [path for path in process.data.rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in [*files, process.output_path]:
        content = path.read_bytes()
        found = [secret for secret in planted if secret.encode() in content]
        assert found == [], path
