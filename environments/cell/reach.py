"""How a cell reaches its environment: brings up the services, and says what the tests are told and may reach."""

from __future__ import annotations

import asyncio
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from environments.errors import EnvironmentUnreachable
from environments.inside.target import Control, Project
from environments.matrix import Environment
from environments.services import process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from environments.cell.suite import Workspace
    from environments.profiles import Profile

KEY = "MATRIX_API_KEY"
OTHER_KEY = "MATRIX_OTHER_API_KEY"
CONTROL_TOKEN = "MATRIX_CONTROL_TOKEN"  # noqa: S105 - the variable's name
_PROJECT = "integration-test-project"
_OTHER_PROJECT = "integration-test-other-project"
_LLM = process.ServiceSpec("llm", "environments.services.llm", {"port": 0})


@dataclass(frozen=True)
class Reached:
    """An environment that answers: where, with which keys (by variable), and the services to stop afterwards."""

    base_url: str
    project: Project
    other_project: Project | None
    keys: Mapping[str, str]
    pairs: frozenset[tuple[str, int]]
    services: tuple[process.RunningService, ...]
    llm_url: str | None = None
    control: Control | None = None


async def reach(profile: Profile, space: Workspace, say: Callable[[str], None]) -> Reached:
    """Bring the environment up. Raises ServiceFailed, EnvironmentUnreachable."""
    if profile.environment is not Environment.DEVELOPMENT:
        raise EnvironmentUnreachable(
            f"{profile.environment} cells cannot run yet: they reach their environment through the gateway only",
            remedy="run the development cell of the same name",
        )
    return await _embedded(space, say) if profile.embedded else await _own_server(profile, space, say)


async def _embedded(space: Workspace, say: Callable[[str], None]) -> Reached:
    """Start a service of this cell's own. Its keys are useless elsewhere and gone with it."""
    keys = {variable: f"hh_{secrets.token_hex(16)}" for variable in (KEY, OTHER_KEY)}
    projects = {KEY: _PROJECT, OTHER_KEY: _OTHER_PROJECT}
    token = secrets.token_hex(16)
    config = {
        "port": 0,
        "data_dir": str(space.service_data),
        "projects": [{"name": name, "keys": [keys[variable]]} for variable, name in projects.items()],
        "control": {"token": token},
        "llm_port": 0,
    }
    spec = process.ServiceSpec("honeyhive", "environments.services.honeyhive", config)
    service = await process.start(spec, space.lifeline, space.service_log)
    llm_url = service.urls["llm_url"]
    say(f"the embedded service answers at {service.url}, the LLM service at {llm_url}")
    own, other = (Project(name, variable) for variable, name in projects.items())
    control = Control(service.urls["control_url"], CONTROL_TOKEN)
    pairs = frozenset(_pair(url) for url in service.urls.values())
    return Reached(service.url, own, other, {**keys, CONTROL_TOKEN: token}, pairs, (service,), llm_url, control)


async def _own_server(profile: Profile, space: Workspace, say: Callable[[str], None]) -> Reached:
    assert profile.base_url is not None  # else it were embedded
    assert profile.api_key is not None  # the profile insists on one
    host, port = _pair(profile.base_url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EnvironmentUnreachable(
            f"the host of HH_DEV_BASE_URL, {host}, has no address: {error.strerror}",
            remedy="check the name, and that this machine can resolve it",
        ) from None
    llm = await process.start(_LLM, space.lifeline, space.llm_log)
    say(f"using the development server at {profile.base_url}, and the LLM service at {llm.url}")
    # The name is checked when it is resolved, the addresses when they are connected to.
    pairs = frozenset({(host, port), *((str(address[4][0]), port) for address in found)})
    keys = {KEY: profile.api_key.get_secret_value()}
    project = Project(profile.project, KEY)
    return Reached(profile.base_url, project, None, keys, pairs | {_pair(llm.url)}, (llm,), llm.url)


def _pair(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
