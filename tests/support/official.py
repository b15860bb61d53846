"""The official clients of OpenAI and Anthropic, changed by base URL and key alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.support.client import Client


@asynccontextmanager
async def openai_client(account: Client) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's client under an account's key."""
    async with AsyncOpenAI(
        base_url=f"{account.base_url}/v1", api_key=account.api_key or "", max_retries=0
    ) as client:
        yield client


@asynccontextmanager
async def anthropic_client(account: Client) -> AsyncIterator[AsyncAnthropic]:
    """Anthropic's client under an account's key."""
    async with AsyncAnthropic(
        base_url=account.base_url, api_key=account.api_key or "", max_retries=0
    ) as client:
        yield client
