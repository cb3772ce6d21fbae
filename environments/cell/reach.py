"""How a cell reaches its environment: brings up the services, and says what the tests are told and may reach."""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from environments.cell import namespace
from environments.errors import EnvironmentUnreachable
from environments.inside.target import KEY_VARIABLES, Control, Project
from environments.profiles import Production, Staging, addresses
from environments.services import process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from environments.cell.suite import Workspace
    from environments.profiles import Profile

KEY = KEY_VARIABLES["project"]
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
    # The embedded service's, or the gateway's.
    control: Control | None = None
    gateway: Control | None = None
    # What a cell's processes run in, on top of the audit hook; the reason stands here where there is none.
    isolation: namespace.Namespace | str | None = None
    # What the environment is called in the record, where that isn't `base_url`.
    upstream: str | None = None


@dataclass(frozen=True)
class Reaching:
    """What it takes to reach an environment: the cell's folder, its record's, where to speak, what to undo after."""

    space: Workspace
    folder: Path
    say: Callable[[str], None]
    cleanup: AsyncExitStack = field(default_factory=AsyncExitStack)


async def admitted(profile: Profile, reaching: Reaching) -> None:
    """Say what is about to be done to whom, and wait until one cell more may do it.

    Before anything of the machine is held, and before the cell's time runs: another cell may take long. Raises
    ProductionNotArmed, EnvironmentUnreachable.
    """
    if not isinstance(profile, Production | Staging):
        return
    if isinstance(profile, Production):
        profile.refuse_unless_armed()
    if not profile.base_url.startswith("https:"):
        raise EnvironmentUnreachable(
            f"{profile.environment} is at {profile.base_url}: the gateway speaks https:// only",
            remedy="name a server with a certificate; a private authority's goes into the variable …_CA_FILE",
        )
    from environments.services.gateway import pacing

    _announce(profile, reaching.say)
    address = addresses.parse(profile.base_url)
    folder = pacing.folder_of(address.host, address.port)
    slot = await pacing.cell_slot(folder, profile.limits.concurrent_cells or 1, reaching.say)
    reaching.cleanup.callback(slot.release)


async def reach(profile: Profile, reaching: Reaching) -> Reached:
    """Bring the environment up. Raises ServiceFailed, EnvironmentUnreachable."""
    if isinstance(profile, Production | Staging):
        return await _through_gateway(profile, reaching)
    return await _embedded(reaching) if profile.embedded else await _own_server(profile, reaching)


async def _embedded(reaching: Reaching) -> Reached:
    """Start a service of this cell's own. Its keys are useless elsewhere and gone with it."""
    space = reaching.space
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
    reaching.say(f"the embedded service answers at {service.url}, the LLM service at {llm_url}")
    own, other = (Project(name, variable) for variable, name in projects.items())
    control = Control(service.urls["control_url"], CONTROL_TOKEN)
    pairs = frozenset(_pair(url) for url in service.urls.values())
    return Reached(service.url, own, other, {**keys, CONTROL_TOKEN: token}, pairs, (service,), llm_url, control)


async def _own_server(profile: Profile, reaching: Reaching) -> Reached:
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
    llm = await process.start(_LLM, reaching.space.lifeline, reaching.space.llm_log)
    reaching.say(f"using the development server at {profile.base_url}, and the LLM service at {llm.url}")
    # The name is checked when it is resolved, the addresses when they are connected to.
    pairs = frozenset({(host, port), *((str(address[4][0]), port) for address in found)})
    keys = {KEY: profile.api_key.get_secret_value()}
    project = Project(profile.project, KEY)
    return Reached(profile.base_url, project, None, keys, pairs | {_pair(llm.url)}, (llm,), llm.url)


async def _through_gateway(profile: Staging | Production, reaching: Reaching) -> Reached:
    """Start the one door to staging or production, and a network in which there is nothing else."""
    from environments.services.gateway.policy import Policy

    isolation = await _isolated(reaching)
    token = secrets.token_hex(16)
    config = {
        "upstream": profile.base_url,
        "policy": (Policy.PACED if profile.writable else Policy.READ_ONLY).value,
        "keys": _keys(profile),
        "audit": str(reaching.folder / "audit.jsonl"),
        "control": {"token": token},
        "ca_file": None if profile.ca_file is None else str(profile.ca_file),
        "requests_per_second": profile.limits.requests_per_second,
    }
    sockets = () if isinstance(isolation, str) else isolation.listeners
    spec = process.ServiceSpec("gateway", "environments.services.gateway", config, sockets)
    service = await process.start(spec, reaching.space.lifeline, reaching.space.service_log)
    control = Control(service.urls["control_url"], CONTROL_TOKEN)
    return Reached(
        service.url,
        Project(profile.project, KEY),
        None,
        # No test's own yet: the cell's plugin has one minted for each.
        {CONTROL_TOKEN: token},
        frozenset(_pair(url) for url in service.urls.values()),
        (service,),
        gateway=control,
        isolation=isolation,
        upstream=profile.base_url,
    )


def _announce(profile: Staging | Production, say: Callable[[str], None]) -> None:
    """Say what is about to be done to whom, before it is done."""
    does = "everything the tests do" if profile.writable else "reads, and nothing else,"
    limits = profile.limits
    say(
        f"{profile.environment}: {does} will go to {profile.base_url}, project {profile.project!r}, through the gateway"
    )
    say(f"  at most {limits.requests_per_second:g} requests a second, {limits.concurrent_cells} cell(s) at a time")


async def _isolated(reaching: Reaching) -> namespace.Namespace | str:
    """Make the cell a network of its own, or return why it gets none: the audit hook holds Python alone then."""
    try:
        made = await reaching.cleanup.enter_async_context(namespace.held(2, reaching.space.lifeline))
    except namespace.NamespaceUnavailable as reason:
        reaching.say(f"no network namespace ({reason}): programs that are no Python are not held by the fence")
        return str(reason)
    reaching.say("the cell has a network of its own, in which there is nothing but the gateway")
    return made


def _keys(profile: Staging | Production) -> Mapping[str, str]:
    """Return the real keys by kind. They go to the gateway's stdin, and nowhere else."""
    given = {
        "project": profile.api_key,
        "ingestion": profile.ingestion_api_key,
        "data_plane": profile.data_plane_api_key,
    }
    return {kind: key.get_secret_value() for kind, key in given.items() if key is not None}


def _pair(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
