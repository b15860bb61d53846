"""A response in the background whose node is killed: its stream never pretends."""

from pathlib import Path
from typing import Any

from tests.support.client import client
from tests.support.engine import ADMIN_KEY, configuration, engine_process
from tests.support.official import openai_client
from tests.support.scripted_provider import ScriptedProvider, answer, stream, words


async def test_what_was_told_before_a_kill_is_followed_by_the_whole_answer_alone(
    tmp_path: Path,
) -> None:
    async with (
        ScriptedProvider() as upstream,
        engine_process(tmp_path, configuration(upstream.base_url)) as process,
    ):
        upstream.script(stream(words("One two"), gap=0.05, hang=True, done=False))
        upstream.default = answer("Three four.")
        async with client(process.base_url, ADMIN_KEY) as admin:
            account = await admin.account()
        async with openai_client(account) as official:
            begun = await official.responses.create(
                model="alpha", input="Hi.", background=True, stream=True
            )
            seen: list[Any] = []
            async for event in begun:
                seen.append(event)
                if event.type == "response.output_text.delta":
                    break
            await begun.close()
        process.kill()
        account.base_url = await process.start()
        response_id, last = seen[0].response.id, seen[-1].sequence_number
        async with openai_client(account) as official:
            rest = await official.responses.retrieve(response_id, stream=True, starting_after=last)
            events: list[Any] = [event async for event in rest]
    assert [event.type for event in events] == ["response.completed"]
    assert events[0].sequence_number == last + 1
    assert events[0].response.output_text == "Three four."
