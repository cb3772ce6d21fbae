from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.http import bodies
from environments.services.http.errors import ApiError
from environments.services.http.json_types import dump
from tests.unit.services.honeyhive.running import perhaps_refused

if TYPE_CHECKING:
    from collections.abc import Callable

_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "": bytes,
}


@given(st.binary(max_size=500), st.sampled_from(sorted(_ENCODINGS)))
def test_what_was_encoded_comes_back(body: bytes, encoding: str) -> None:
    assert bodies.decoded(_ENCODINGS[encoding](body), encoding, limit=1000) == body


@given(st.binary(max_size=500), st.sampled_from(["gzip", "deflate", "x-gzip", "br"]))
def test_any_bytes_decode_or_are_refused(body: bytes, encoding: str) -> None:
    with perhaps_refused(400, 413, 415):
        assert len(bodies.decoded(body, encoding, limit=1000)) <= 1000


def test_several_gzip_members_are_one_body() -> None:
    assert bodies.decoded(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", limit=2) == b"ab"


def test_the_limit_holds_over_all_members_together() -> None:
    with pytest.raises(ApiError) as refused:
        bodies.decoded(gzip.compress(b"ab") + gzip.compress(b"c"), "gzip", limit=2)
    assert refused.value.status == 413


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert bodies.parse(json.dumps(value).encode()) == value


@given(st.binary() | st.text().map(str.encode) | st.text(alphabet='[]{}",:\\ud8001e9.-').map(str.encode))
def test_any_bytes_parse_or_are_a_bad_request_and_what_parses_can_be_stored(body: bytes) -> None:
    with perhaps_refused(400):
        dump(bodies.parse(body)).encode()


@pytest.mark.parametrize("depth", [99, 100, 101, 5000])
def test_nesting_is_bounded(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    if depth <= 100:
        bodies.parse(body)
    else:
        with pytest.raises(ApiError):
            bodies.parse(body)
