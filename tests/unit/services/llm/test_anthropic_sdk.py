"""The real anthropic SDK, sync and async: what it reads of the service's answers, and what it makes of its faults."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

from tests.unit.services.llm.running import ARGUMENTS, DETERMINISTIC, EXPLANATION, PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from tests.unit.services.llm.running import Llm

_USER: Any = [{"role": "user", "content": "one two"}]
_TOOLS: Any = [{"name": "weather", "input_schema": PARAMETERS}]
_ASKED: Any = {"model": "plain", "max_tokens": 100, "messages": _USER}


class Weather(BaseModel):
    city: str
    days: int


@pytest.fixture(scope="module")
def client(llm: Llm) -> Iterator[Anthropic]:
    with Anthropic(base_url=llm.url, api_key="any", max_retries=0) as sdk:
        yield sdk


def run(llm: Llm, use: Any) -> Any:  # noqa: ANN401 - whatever the SDK returns
    """Run something with an async client."""

    async def opened() -> object:
        async with AsyncAnthropic(base_url=llm.url, api_key="any", max_retries=0) as sdk:
            coroutine: Coroutine[Any, Any, object] = use(sdk)
            return await coroutine

    return asyncio.run(opened())


def said(message: Any) -> str:  # noqa: ANN401 - one of the SDK's many kinds of message
    [block] = message.content
    return str(block.text)


# ---- Answers -----------------------------------------------------------------------------------------


def test_a_message_is_read_with_its_usage(client: Anthropic) -> None:
    read = client.messages.create(**{**_ASKED, "model": DETERMINISTIC}, system="Be brief.")
    assert (said(read), read.stop_reason) == (EXPLANATION, "end_turn")
    assert (read.usage.input_tokens, read.usage.output_tokens) == (7, 13)


def test_the_async_client_reads_the_same(client: Anthropic, llm: Llm) -> None:
    async def use(sdk: AsyncAnthropic) -> object:
        return await sdk.messages.create(**_ASKED)

    assert run(llm, use) == client.messages.create(**_ASKED)


def test_a_bearer_token_is_a_key_too(llm: Llm) -> None:
    with Anthropic(base_url=llm.url, auth_token="any") as sdk:
        assert said(sdk.messages.create(**_ASKED))
        assert DETERMINISTIC in [model.id for model in sdk.models.list()]


def test_a_stream_is_put_together_to_the_same_message(client: Anthropic) -> None:
    whole = client.messages.create(**_ASKED)
    with client.messages.stream(**_ASKED) as stream:
        assert "".join(stream.text_stream) == said(whole)
        final = stream.get_final_message()
    assert said(final) == said(whole)
    assert (final.id, final.stop_reason, final.usage.output_tokens) == (
        whole.id,
        whole.stop_reason,
        whole.usage.output_tokens,
    )


def test_an_async_stream_is_read_to_its_end(client: Anthropic, llm: Llm) -> None:
    async def use(sdk: AsyncAnthropic) -> list[str]:
        return [event.type async for event in await sdk.messages.create(**_ASKED, stream=True)]

    kinds = run(llm, use)
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds == [event.type for event in client.messages.create(**_ASKED, stream=True)]


def test_streamed_tool_use_is_put_together(client: Anthropic) -> None:
    with client.messages.stream(**_ASKED, tools=_TOOLS) as stream:
        [block] = stream.get_final_message().content
    assert block.type == "tool_use"
    assert block.input == ARGUMENTS


def test_a_conversation_with_a_tool_comes_to_its_end(client: Anthropic) -> None:
    first = client.messages.create(**_ASKED, tools=_TOOLS)
    assert first.stop_reason == "tool_use"
    [block] = first.content
    assert block.type == "tool_use"
    result = {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "sunny"}]}
    turns = [*_USER, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = client.messages.create(**{**_ASKED, "messages": turns}, tools=_TOOLS)
    assert (last.stop_reason, said(last)[-5:]) == ("end_turn", "sunny")


def test_stop_sequences_and_the_limit_end_a_message(client: Anthropic) -> None:
    stopped = client.messages.create(**_ASKED, stop_sequences=[" two"])
    assert (stopped.stop_reason, stopped.stop_sequence, said(stopped)[-3:]) == ("stop_sequence", " two", "one")
    cut = client.messages.create(**{**_ASKED, "max_tokens": 2})
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 2)


def test_structured_output_is_parsed_into_its_model(client: Anthropic) -> None:
    assert client.messages.parse(**_ASKED, output_format=Weather).parsed_output == Weather(city="city", days=1)


def test_tokens_are_counted_as_they_are_charged(client: Anthropic, llm: Llm) -> None:
    counted = client.messages.count_tokens(model="plain", messages=_USER, tools=_TOOLS, system="Be brief.")
    charged = client.messages.create(**_ASKED, tools=_TOOLS, system="Be brief.")
    assert counted.input_tokens == charged.usage.input_tokens

    async def use(sdk: AsyncAnthropic) -> object:
        return await sdk.messages.count_tokens(model="plain", messages=_USER, tools=_TOOLS, system="Be brief.")

    assert run(llm, use) == counted


def test_models_are_listed_page_by_page_and_retrieved(client: Anthropic, llm: Llm) -> None:
    listed = [model.id for model in client.models.list(limit=2)]
    assert listed == [model.id for model in client.models.list()]
    assert client.models.retrieve(DETERMINISTIC).display_name == DETERMINISTIC

    async def use(sdk: AsyncAnthropic) -> object:
        return [model.id async for model in sdk.models.list(limit=4)]

    assert run(llm, use) == listed


# ---- Faults ------------------------------------------------------------------------------------------

_ERRORS: list[tuple[int, type[anthropic.APIStatusError]]] = [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (409, anthropic.ConflictError),
    (422, anthropic.UnprocessableEntityError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind"), _ERRORS)
def test_each_status_becomes_its_exception(
    client: Anthropic, status: int, kind: type[anthropic.APIStatusError], *, stream: bool
) -> None:
    with pytest.raises(kind) as error:
        client.messages.create(**{**_ASKED, "model": f"fail/{status}"}, stream=stream)
    assert error.value.status_code == status
    assert f"asks for a {status}" in error.value.message
    assert (error.value.request_id or "").startswith("req_")


def test_each_status_becomes_its_exception_in_the_async_client(llm: Llm) -> None:
    async def use(sdk: AsyncAnthropic) -> None:
        for status, kind in _ERRORS:
            with pytest.raises(kind):
                await sdk.messages.create(**{**_ASKED, "model": f"fail/{status}"})

    run(llm, use)


def test_a_429_is_tried_again_after_as_long_as_it_says(llm: Llm) -> None:
    with Anthropic(base_url=llm.url, api_key="any", max_retries=2) as sdk:
        began = time.perf_counter()
        assert said(sdk.messages.create(**{**_ASKED, "model": "fail/429?retry_after=1&times=1"}))
        assert time.perf_counter() - began >= 1


def test_retries_come_to_an_end(llm: Llm) -> None:
    with Anthropic(base_url=llm.url, api_key="any", max_retries=1) as sdk:
        began = time.perf_counter()
        with pytest.raises(anthropic.RateLimitError):
            sdk.messages.create(**{**_ASKED, "model": "fail/429?retry_after=0.2&times=2"})
        assert time.perf_counter() - began >= 0.2


def test_a_stream_that_is_overloaded_in_the_middle_raises(client: Anthropic, llm: Llm) -> None:
    asked = {**_ASKED, "model": "fail/529?after=3", "stream": True}
    stream = client.messages.create(**asked)
    assert next(stream).type == "message_start"
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(stream)

    async def use(sdk: AsyncAnthropic) -> None:
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
            [event async for event in await sdk.messages.create(**asked)]

    run(llm, use)


def test_a_cut_answer_is_a_connection_error_and_a_cut_stream_ends_in_one(client: Anthropic) -> None:
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**{**_ASKED, "model": "cut"})
    stream = client.messages.create(**{**_ASKED, "model": "cut"}, stream=True)
    assert next(stream).type == "message_start"
    # The SDK lets its HTTP library's own exception through here.
    with pytest.raises(Exception, match="without sending complete message body"):
        list(stream)


def test_malformed_json_is_no_answer(client: Anthropic) -> None:
    with pytest.raises(json.JSONDecodeError):
        client.messages.create(**{**_ASKED, "model": "malformed"})
    stream = client.messages.create(**{**_ASKED, "model": "malformed"}, stream=True)
    with pytest.raises(json.JSONDecodeError):
        list(stream)


def test_a_slow_model_runs_into_the_clients_timeout(client: Anthropic) -> None:
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.2).messages.create(**{**_ASKED, "model": "slow?first=5"})
