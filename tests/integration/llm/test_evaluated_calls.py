"""`evaluate(instrumentors=…)`: the calls of a datapoint's function are in that datapoint's session, once each."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually
from tests.support.providers import instrumented_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer
    from openai import OpenAI
    from openinference.instrumentation.openai import OpenAIInstrumentor

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.server import Server

pytestmark = [pytest.mark.needs("llm"), pytest.mark.llm_provider, pytest.mark.xdist_group("openai")]

Asking = dict[str, Any]


@pytest.fixture
def ask_evaluated(
    target: Target,
    server: Server,
    cleanup: Cleanup,
    resource_name: str,
    first_tracer: HoneyHiveTracer,
    openai_client: OpenAI,
    openai_model: str,
    openai_instrumentor: OpenAIInstrumentor,
) -> Callable[..., dict[str, str]]:
    """Evaluate a function that asks a model each of these questions, and return the session of each.

    All have begun before the first question is asked, whose datapoint ends before any other is. The instrumentor is
    bound by one after the other: before 1.1, two at once would leave it bound for ever.
    """
    del first_tracer  # else the first datapoint's tracer would be it
    binding = threading.Semaphore(1)

    def run(*questions: str) -> dict[str, str]:
        from honeyhive import evaluate

        begun = threading.Barrier(len(questions))

        def instrumentor() -> OpenAIInstrumentor:
            assert binding.acquire(timeout=30)
            return openai_instrumentor

        def ask(datapoint: Asking) -> Asking:
            binding.release()
            begun.wait(timeout=30)
            question = datapoint["inputs"]["question"]
            if question != questions[0]:
                # A datapoint ends with sending what it has.
                eventually(lambda: server.events(event_name=resource_name, event_type="chain"))
            answer = openai_client.chat.completions.create(
                model=openai_model, messages=[{"role": "user", "content": question}]
            )
            return {"answer": answer.choices[0].message.content}

        ask.__name__ = resource_name
        result = evaluate(
            function=ask,
            dataset=[{"inputs": {"question": question}} for question in questions],
            instrumentors=[instrumentor],
            name=resource_name,
            api_key=server.project.api_key,
            server_url=target.base_url,
            max_workers=len(questions),
            print_results=False,
        )
        cleanup.register(f"{resource_name} {result.run_id}", lambda: server.delete_run(str(result.run_id)))
        sessions = server.get(f"/v1/runs/{result.run_id}")["evaluation"]["event_ids"]
        return {server.session(each)["inputs"]["question"]: each for each in sessions}

    return run


@pytest.mark.sdk(">=1.1")
def test_from_1_1_each_call_is_one_event_in_the_session_of_its_datapoint_whichever_datapoint_ends_first(
    ask_evaluated: Callable[..., dict[str, str]],
    server: Server,
    resource_name: str,
) -> None:
    sessions = ask_evaluated("first", "second", "third")

    assert set(sessions) == {"first", "second", "third"}
    for question, session_id in sessions.items():
        (call,) = instrumented_calls(server, session_id, 1)
        assert call["inputs"]["chat_history"] == [{"role": "user", "content": question}]
        assert call["parent_id"] == server.event(session_id, resource_name)["event_id"]


@pytest.mark.sdk("<1.1")
def test_before_1_1_the_datapoint_that_ends_first_ends_the_tracing_of_all_others_calls(
    ask_evaluated: Callable[..., dict[str, str]],
    server: Server,
    resource_name: str,
) -> None:
    sessions = ask_evaluated("first", "second")

    assert len(instrumented_calls(server, sessions["first"], 1)) == 1
    assert server.event(sessions["second"], resource_name)["outputs"]["result"]["answer"]
    assert len(server.children(sessions["second"])) == 1


def test_with_one_worker_each_call_is_one_event_in_the_session_of_its_datapoint(
    ask_evaluated: Callable[..., dict[str, str]], server: Server, resource_name: str
) -> None:
    sessions = ask_evaluated("only")

    (call,) = instrumented_calls(server, sessions["only"], 1)
    assert call["parent_id"] == server.event(sessions["only"], resource_name)["event_id"]
    assert call["metadata"]["run_id"] == server.session(sessions["only"])["metadata"]["run_id"]
