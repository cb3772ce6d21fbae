from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.llm import models
from environments.services.llm.http_errors import LlmError
from environments.services.llm.models import Behaviour, Fault
from tests.unit.services.llm.running import DETERMINISTIC, EXPLANATION, perhaps_refused


@pytest.mark.parametrize(
    ("name", "behaviour"),
    [
        ("gpt-4o", Behaviour()),
        ("anthropic/claude-sonnet-4-5", Behaviour()),
        (DETERMINISTIC, Behaviour(says=EXPLANATION)),
        ("fail/401", Behaviour(fault=Fault.FAIL, status=401)),
        ("fail/429?retry_after=2", Behaviour(fault=Fault.FAIL, status=429, retry_after="2")),
        ("fail/503?times=2&after=4", Behaviour(fault=Fault.FAIL, status=503, times=2, after=4)),
        ("malformed", Behaviour(fault=Fault.MALFORMED, after=2)),
        ("cut", Behaviour(fault=Fault.CUT, after=3)),
        ("cut?after=0&times=1", Behaviour(fault=Fault.CUT, after=0, times=1)),
        ("slow", Behaviour(first_s=1)),
        ("slow?first=0.5&between=0.02", Behaviour(first_s=0.5, between_s=0.02)),
    ],
)
def test_a_name_says_how_it_is_answered(name: str, behaviour: Behaviour) -> None:
    assert models.parse(name) == behaviour


@pytest.mark.parametrize(
    "name",
    [
        *("deterministic", "deterministic/default", "deterministic/other/default", "deterministic/default/default?a=1"),
        *("fail", "fail/", "fail/200", "fail/600", "fail/4000", "fail/x", "fail/401/2", "fail/401?retry_after=-1"),
        *("fail/401?retry_after=soon", "fail/401?times=1&times=2", "fail/401?first=1", "fail/401?x", "fail/401?&"),
        *("malformed/x", "malformed?first=1", "cut/", "cut/malformed", "cut?after=1.5", "slow/", "slow/1"),
        *("slow?first=61", "slow?between=5.1", "slow?times=1", "slow?first=nan"),
    ],
)
def test_a_name_that_begins_like_a_behaviour_and_is_none_does_not_exist(name: str) -> None:
    with pytest.raises(LlmError) as error:
        models.parse(name)
    assert (error.value.status, error.value.code, error.value.param) == (404, "model_not_found", "model")


@pytest.mark.parametrize("name", ["", "x" * 257])
def test_a_name_has_a_length(name: str) -> None:
    with pytest.raises(LlmError) as error:
        models.parse(name)
    assert error.value.status == 400


@given(
    st.text()
    | st.builds(
        "".join,
        st.lists(
            st.sampled_from(["fail", "cut", "slow", "deterministic", "/", "?", "429", "times=", "after=", "&", "1"]),
            max_size=8,
        ),
    )
)
def test_any_name_is_a_behaviour_or_refused(name: str) -> None:
    with perhaps_refused(400, 404):
        assert isinstance(models.parse(name), Behaviour)


def test_every_listed_model_exists() -> None:
    assert all(isinstance(models.parse(name), Behaviour) for name in models.LISTED)
