"""The service held against the OpenAPI document that it publishes, by requests that schemathesis makes up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

from environments.services.honeyhive import openapi
from environments.services.honeyhive.api.operations import Operation
from environments.services.honeyhive.routes import ROUTES, not_built
from tests.unit.services.honeyhive.running import Service, answered

if TYPE_CHECKING:
    from tests.unit.services.honeyhive.running import Event


load_all_checks()
# Query parameters that nobody knows are ignored, and every request is given its key here.
_GENERATION = GenerationConfig(allow_extra_parameters=False, with_security_parameters=False)
_CONFIG = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=_GENERATION)))
_SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(openapi.document())), config=_CONFIG)
_BOUNDED = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
_LONG = settings(_BOUNDED, max_examples=200, derandomize=False)
_NOT_CHECKED = (
    "positive_data_acceptance",  # a well-formed request may still name what does not exist
    "unsupported_method",  # a method that is not built answers 501
    "allow_header_conformance",  # and is named among those that are allowed
)
# There is no serializer for made-up protobuf; test_traces sends real spans.
_NO_PROTOBUF = pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload media types")
_DATA_PLANE = "/v1/projects/{project_id}/charts"


@pytest.fixture(scope="module")
def minted(service: Service) -> Event:
    """Mint a project for made-up requests to work in."""
    return service.mint("contract")


def _hold(case: schemathesis.Case[Any], service: Service, minted: Event) -> None:
    kind = "data_plane" if case.path.startswith(_DATA_PLANE) else "project"
    if "project_id" in case.path_parameters:
        case.path_parameters["project_id"] = minted["id"]
    excluded: list[Any] = [CHECKS.get_one(name) for name in _NOT_CHECKED]
    if not isinstance(ROUTES[case.operation.method.upper(), case.path], Operation):
        # Spans are decoded, not checked: what is no span counts as rejected, as OTLP wants it.
        excluded.append(CHECKS.get_one("negative_data_rejection"))
    headers = {"Authorization": f"Bearer {minted['keys'][kind]}"}
    response = case.call(base_url=service.url, headers=headers)
    if case.method.upper() != case.operation.method.upper() and response.status_code == 501:
        return  # schemathesis tries other methods of the path too: one that is not built, and not in the document
    case.validate_response(response, excluded_checks=excluded, headers=headers)


@_NO_PROTOBUF
@_SCHEMA.parametrize()
@_BOUNDED
def test_made_up_requests_are_answered_as_the_document_says(
    case: schemathesis.Case[Any], service: Service, minted: Event
) -> None:
    _hold(case, service, minted)


@pytest.mark.proof
@_NO_PROTOBUF
@_SCHEMA.parametrize()
@_LONG
def test_very_many_made_up_requests_are_answered_as_the_document_says(
    case: schemathesis.Case[Any], service: Service, minted: Event
) -> None:
    _hold(case, service, minted)


def test_the_document_is_served_without_a_key(service: Service) -> None:
    assert answered(httpx.get(f"{service.url}/openapi.json")) == json.loads(json.dumps(openapi.document()))


def test_the_document_names_every_route_that_is_built_and_no_other() -> None:
    built = {(method, path) for (method, path), handler in ROUTES.items() if handler is not not_built.refuse}
    paths = openapi.document()["paths"]
    assert isinstance(paths, dict)
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == built
