"""What goes out to Bedrock: addresses, signatures, bodies."""

import asyncio
import subprocess
import sys
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import validate_parameters

from adapters.providers.bedrock.credentials import BearerToken, DefaultChain
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from tests.contract.bedrock.calls import (
    KEY,
    MESSAGES,
    REGION,
    SONNET,
    WEATHER,
    chat,
    failure,
    provider,
)
from tests.support.scripted_bedrock import converse, events, streamed
from tests.support.scripted_upstream import ScriptedUpstream, Sent, sending

WITHOUT_BOTOCORE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "botocore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from adapters.providers.bedrock.credentials import BearerToken, BotocoreMissing
from adapters.providers.bedrock.wire import BedrockWire

try:
    BedrockWire("eu-west-1", BearerToken("t"))
except BotocoreMissing as missing:
    print(missing)
"""


async def test_a_call_goes_to_the_model_by_its_encoded_id(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])), streamed(events([{"text": "Hi."}])))
    await bedrock.call(chat())
    await bedrock.call(chat(streamed=True))
    model = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
    assert [sent.path for sent in upstream.requests] == [
        f"{model}/converse",
        f"{model}/converse-stream",
    ]


async def test_an_arn_is_one_segment_of_the_address(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    arn = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{SONNET}"
    await bedrock.call(chat(model=arn))
    segment = upstream.requests[0].path.removeprefix("/model/").removesuffix("/converse")
    assert "/" not in segment
    assert unquote(segment) == arn


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_signature_is_that_of_what_went_out(
    upstream: ScriptedUpstream, bedrock: HttpProvider, streaming: bool
) -> None:
    upstream.script(streamed(events([{"text": "Hello."}])))
    await bedrock.call(chat(streamed=streaming, temperature=0.5))
    sent = upstream.requests[0]
    assert sent.headers["x-amz-security-token"] == KEY.session_token
    assert f"/{REGION}/bedrock/aws4_request" in sent.headers["authorization"]
    assert sent.headers["authorization"].rpartition("Signature=")[2] == signature(upstream, sent)


async def test_a_bedrock_key_is_sent_as_a_bearer(
    upstream: ScriptedUpstream, session: HttpSession
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    await provider(upstream, session, BearerToken("bedrock-api-key-1")).call(chat())
    headers = upstream.requests[0].headers
    assert headers["authorization"] == "Bearer bedrock-api-key-1"
    assert "x-amz-date" not in headers


async def test_what_the_tools_of_aws_find_is_found(
    upstream: ScriptedUpstream, session: HttpSession, tmp_path: Any, monkeypatch: Any
) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[team]\naws_access_key_id = {KEY.access_key_id}\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    upstream.script(*[sending(converse([{"text": "Hello."}]))] * 2)
    found = provider(upstream, session, DefaultChain("team"))
    await asyncio.gather(found.call(chat()), found.call(chat()))
    for sent in upstream.requests:
        assert f"Credential={KEY.access_key_id}/" in sent.headers["authorization"]


async def test_without_any_credentials_nothing_is_called(
    upstream: ScriptedUpstream, session: HttpSession, tmp_path: Any, monkeypatch: Any
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    lost = provider(upstream, session, DefaultChain())
    assert [(await failure(lost, chat())).kind for _ in range(2)] == ["auth", "auth"]
    assert upstream.requests == []


def test_without_botocore_it_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTOCORE], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "botocore is not installed: pip install 'gatewayz[bedrock]'"


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0.5, "top_p": 0.9, "stop": ["a", " "], "max_tokens": 100, "seed": 7},
        {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False},
        {"reasoning_effort": "high", "max_tokens": 30_000},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
            }
        },
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is it?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
                        {
                            "type": "file",
                            "file": {
                                "filename": "report_1.pdf",
                                "file_data": "data:application/pdf;base64,JVBE",
                            },
                        },
                    ],
                },
            ]
        },
    ],
)
async def test_the_body_is_one_that_the_official_model_of_the_service_takes(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    await bedrock.call(chat(**body))
    service = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    shape = service.operation_model("Converse").input_shape
    validate_parameters({"modelId": SONNET, **upstream.requests[0].json()}, shape)


async def test_what_the_wire_lacks_is_named_as_the_caller_named_it(
    upstream: ScriptedUpstream, bedrock: HttpProvider
) -> None:
    upstream.script(sending(converse([{"text": "Hello."}])))
    asked: dict[str, Any] = {
        "seed": 7,
        "user": "u",
        "logit_bias": {"1": 1},
        "temperature": 1.5,
        "stop": [" "],
    }
    reply = await bedrock.call(chat(**asked, parallel_tool_calls=False, tools=[WEATHER]))
    assert set(reply.dropped) == {*asked, "parallel_tool_calls"}


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"web_search_options": {}},
        {"messages": [*MESSAGES, {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]},
    ],
)  # fmt: skip
async def test_what_would_be_another_answer_is_refused_without_a_call(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    assert (await failure(bedrock, chat(**body))).kind == "unsupported"
    assert upstream.requests == []


def signature(upstream: ScriptedUpstream, sent: Sent) -> str:
    """What AWS computes from the request as it arrived."""
    named = sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    headers = {name: sent.headers[name] for name in named.split(";")}
    request = AWSRequest("POST", upstream.base_url + sent.path, headers, sent.content)
    request.context["timestamp"] = sent.headers["x-amz-date"]
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key, KEY.session_token)
    signer = SigV4Auth(credentials, "bedrock", REGION)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    computed: str = signer.signature(text, request)
    return computed
