"""The real openai SDK, sync and async: what it reads of the service's answers, and what it makes of its faults."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.unit.services.llm.running import ARGUMENTS, DETERMINISTIC, EXPLANATION, PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from tests.unit.services.llm.running import Llm

_USER: Any = [{"role": "user", "content": "one two"}]
_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
_RESPONSE_TOOLS: Any = [{"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}]


class Weather(BaseModel):
    city: str
    days: int


@pytest.fixture(scope="module")
def client(llm: Llm) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{llm.url}/v1", api_key="any", max_retries=0) as sdk:
        yield sdk


def run(llm: Llm, use: Any) -> Any:  # noqa: ANN401 - whatever the SDK returns
    """Run something with an async client."""

    async def opened() -> object:
        async with AsyncOpenAI(base_url=f"{llm.url}/v1", api_key="any", max_retries=0) as sdk:
            coroutine: Coroutine[Any, Any, object] = use(sdk)
            return await coroutine

    return asyncio.run(opened())


# ---- Answers -----------------------------------------------------------------------------------------


def test_a_completion_is_read_with_its_usage(client: OpenAI) -> None:
    read = client.chat.completions.create(model=DETERMINISTIC, messages=_USER)
    assert read.choices[0].message.content == EXPLANATION
    assert read.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens) == (3, 13)


def test_the_async_client_reads_the_same(client: OpenAI, llm: Llm) -> None:
    read = client.chat.completions.create(model="plain", messages=_USER, n=2)

    async def use(sdk: AsyncOpenAI) -> object:
        return await sdk.chat.completions.create(model="plain", messages=_USER, n=2)

    assert [choice.message for choice in run(llm, use).choices] == [choice.message for choice in read.choices]


def test_a_stream_is_read_to_its_usage(client: OpenAI) -> None:
    whole = client.chat.completions.create(model="plain", messages=_USER)
    chunks = list(
        client.chat.completions.create(
            model="plain", messages=_USER, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_an_async_stream_is_read_to_its_end(client: OpenAI, llm: Llm) -> None:
    async def use(sdk: AsyncOpenAI) -> str:
        stream = await sdk.chat.completions.create(model="plain", messages=_USER, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    whole = client.chat.completions.create(model="plain", messages=_USER)
    assert run(llm, use) == whole.choices[0].message.content


def test_the_stream_helper_puts_tool_calls_together(client: OpenAI) -> None:
    with client.chat.completions.stream(model="plain", messages=_USER, tools=_TOOLS) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert "tool_calls.function.arguments.delta" in kinds
    assert message.tool_calls is not None
    assert json.loads(message.tool_calls[0].function.arguments) == ARGUMENTS


def test_a_conversation_with_a_tool_comes_to_its_end(client: OpenAI) -> None:
    asked = list(_USER)
    first = client.chat.completions.create(model="plain", messages=asked, tools=_TOOLS).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls is not None
    result: Any = {"role": "tool", "tool_call_id": first.message.tool_calls[0].id, "content": "sunny"}
    turns = [*asked, first.message.model_dump(exclude_none=True), result]
    last = client.chat.completions.create(model="plain", messages=turns, tools=_TOOLS).choices[0]
    assert (last.finish_reason, (last.message.content or "")[-5:]) == ("stop", "sunny")


def test_structured_output_is_parsed_into_its_model(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(model="plain", messages=_USER, response_format=Weather)
    assert parsed.choices[0].message.parsed == Weather(city="city", days=1)


def test_an_answer_cut_by_the_limit_cannot_be_parsed(client: OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="plain", messages=_USER, response_format=Weather, max_tokens=2)


def test_a_response_is_read_with_its_usage(client: OpenAI) -> None:
    read = client.responses.create(model=DETERMINISTIC, input="one two")
    assert (read.output_text, read.status) == (EXPLANATION, "completed")
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens) == (3, 13)


def test_a_streamed_response_is_put_together(client: OpenAI) -> None:
    with client.responses.stream(model="plain", input="one two") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        read = stream.get_final_response()
    assert text == read.output_text == client.responses.create(model="plain", input="one two").output_text


def test_a_streamed_responses_call_is_put_together(client: OpenAI) -> None:
    with client.responses.stream(model="plain", input="one two", tools=_RESPONSE_TOOLS) as stream:
        [call] = stream.get_final_response().output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == ARGUMENTS


def test_a_response_is_parsed_into_its_model(client: OpenAI) -> None:
    assert client.responses.parse(model="plain", input="x", text_format=Weather).output_parsed == Weather(
        city="city", days=1
    )


def test_an_async_response_is_streamed(llm: Llm) -> None:
    async def use(sdk: AsyncOpenAI) -> list[str]:
        stream = await sdk.responses.create(model="plain", input="one two", stream=True)
        return [event.type async for event in stream]

    kinds = run(llm, use)
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_embeddings_are_read_however_they_are_encoded(client: OpenAI, llm: Llm) -> None:
    by_default = client.embeddings.create(model="plain", input=["hello", "world"])
    as_floats = client.embeddings.create(model="plain", input=["hello", "world"], encoding_format="float")
    assert by_default.data[0].embedding == pytest.approx(as_floats.data[0].embedding, abs=1e-6)

    async def use(sdk: AsyncOpenAI) -> object:
        return await sdk.embeddings.create(model="plain", input=["hello", "world"])

    assert run(llm, use).usage == by_default.usage


def test_models_are_listed_and_retrieved(client: OpenAI, llm: Llm) -> None:
    assert DETERMINISTIC in [model.id for model in client.models.list()]
    assert client.models.retrieve(DETERMINISTIC).id == DETERMINISTIC

    async def use(sdk: AsyncOpenAI) -> object:
        return [model.id async for model in sdk.models.list()]

    assert DETERMINISTIC in run(llm, use)


# ---- Faults ------------------------------------------------------------------------------------------

_ERRORS: list[tuple[int, type[openai.APIStatusError]]] = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (529, openai.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind"), _ERRORS)
def test_each_status_becomes_its_exception(
    client: OpenAI, status: int, kind: type[openai.APIStatusError], *, stream: bool
) -> None:
    with pytest.raises(kind) as error:
        client.chat.completions.create(model=f"fail/{status}", messages=_USER, stream=stream)
    assert error.value.status_code == status
    assert f"asks for a {status}" in error.value.message
    assert (error.value.request_id or "").startswith("req_")


def test_each_status_becomes_its_exception_in_the_async_client(llm: Llm) -> None:
    async def use(sdk: AsyncOpenAI) -> None:
        for status, kind in _ERRORS:
            with pytest.raises(kind):
                await sdk.responses.create(model=f"fail/{status}", input="x")

    run(llm, use)


def test_what_is_wrong_with_a_request_is_named_in_the_exception(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model="plain", messages=_USER, temperature=9)
    assert (error.value.param, error.value.code, error.value.type) == (
        "temperature",
        "invalid_value",
        "invalid_request_error",
    )
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("fail/no")
    assert missing.value.code == "model_not_found"


def test_a_429_is_tried_again_after_as_long_as_it_says(llm: Llm) -> None:
    with OpenAI(base_url=f"{llm.url}/v1", api_key="any", max_retries=2) as sdk:
        began = time.perf_counter()
        read = sdk.chat.completions.create(model="fail/429?retry_after=1&times=1", messages=_USER)
        assert time.perf_counter() - began >= 1
        assert read.choices[0].message.content


def test_retries_come_to_an_end(llm: Llm) -> None:
    with OpenAI(base_url=f"{llm.url}/v1", api_key="any", max_retries=1) as sdk:
        began = time.perf_counter()
        with pytest.raises(openai.RateLimitError):
            sdk.chat.completions.create(model="fail/429?retry_after=0.2&times=2", messages=_USER)
        assert time.perf_counter() - began >= 0.2


def test_what_is_not_built_is_not_tried_again(llm: Llm) -> None:
    patient = OpenAI(base_url=f"{llm.url}/v1", api_key="any", max_retries=2)
    with patient as sdk, pytest.raises(openai.InternalServerError) as error:
        sdk.moderations.create(input="x")
    assert error.value.status_code == 501
    assert error.value.response.request.headers["x-stainless-retry-count"] == "0"


def test_a_stream_that_fails_in_the_middle_raises(client: OpenAI, llm: Llm) -> None:
    stream = client.chat.completions.create(model="fail/500?after=2", messages=_USER, stream=True)
    assert next(stream).choices
    with pytest.raises(openai.APIError, match="asks for a 500"):
        list(stream)

    async def use(sdk: AsyncOpenAI) -> None:
        stream = await sdk.chat.completions.create(model="fail/500?after=2", messages=_USER, stream=True)
        with pytest.raises(openai.APIError, match="asks for a 500"):
            [chunk async for chunk in stream]

    run(llm, use)


def test_a_response_that_fails_in_the_middle_has_an_error_event(client: OpenAI) -> None:
    events = list(client.responses.create(model="fail/500?after=2", input="x", stream=True))
    assert [event.type for event in events] == ["response.created", "response.in_progress", "error"]


def test_a_cut_answer_and_a_cut_stream_are_connection_errors(client: OpenAI, llm: Llm) -> None:
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="cut", messages=_USER)
    stream = client.chat.completions.create(model="cut", messages=_USER, stream=True)
    assert next(stream).choices
    with pytest.raises(openai.APIConnectionError):
        list(stream)

    async def use(sdk: AsyncOpenAI) -> None:
        with pytest.raises(openai.APIConnectionError):
            await sdk.chat.completions.create(model="cut", messages=_USER)

    run(llm, use)


def test_malformed_json_is_no_answer(client: OpenAI) -> None:
    with pytest.raises(json.JSONDecodeError):
        client.chat.completions.create(model="malformed", messages=_USER)
    stream = client.chat.completions.create(model="malformed", messages=_USER, stream=True)
    with pytest.raises(json.JSONDecodeError):
        list(stream)


def test_a_slow_model_runs_into_the_clients_timeout(client: OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model="slow?first=5", messages=_USER)
