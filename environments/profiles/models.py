"""The profiles: one class per environment, with its settings, permissions, limits and capabilities.

Settings come from outside, through the variables that each field names. Everything else about an environment is
fixed by its class: no variable, argument or file makes production writable or raises a limit.
"""

# No `from __future__ import annotations` here: pydantic reads the annotations of the fields.

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from environments.errors import InvalidSetting, MissingCredential, ProductionHostRefused, ProductionNotArmed
from environments.matrix import Environment
from environments.profiles import addresses, places, shapes
from environments.profiles.places import Place
from environments.profiles.resolve import FromPlace, origin, places_for, refusal, variables, wrong_shape
from environments.profiles.shapes import (
    AnyAddress,
    Authority,
    DataPlaneKey,
    IngestionKey,
    Key,
    Project,
    Seconds,
    SecureAddress,
    Servers,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

HIDDEN = "set (hidden)"
UNSET = "not set"
DEFAULT_PROJECT = "integration-test-project"
PRODUCTION_URL = "HH_PROD_BASE_URL"
PRODUCTION_HOSTS = "HH_PROD_HOSTS"


class Capability(StrEnum):
    """Something only some environments let a test do. A test that needs one is not applicable without it."""

    SECOND_PROJECT = "second-project"  # a key to another project can be had, to prove that projects are apart
    MINT_PROJECT = "mint-project"  # a test can have projects and keys of its own made
    DELETE = "delete"  # what was created can be deleted for good
    LLM = "llm"  # models can be called
    SCRIPTED_LLM = "scripted-llm"  # a model's name says how it answers, fails or dawdles: the LLM service, no provider
    GATEWAY = "gateway"  # a gateway stands before it, and tells what tests cannot see themselves
    READ_ONLY = "read-only"  # a write is refused


_EMBEDDED = frozenset(Capability) - {Capability.GATEWAY, Capability.READ_ONLY}


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard an environment may be driven; None is without limit."""

    requests_per_second: float | None = None
    concurrent_cells: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a resolved profile: what it is, its value (never a secret), and where that came from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of the README's table of settings."""

    variables: tuple[str, ...]
    purpose: str
    default: str


class Profile(BaseSettings):
    """What an environment is reached with, and what may be done to it."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        # A field's aliases are its variables. They are looked up in places, which give values by field.
        validate_by_name=True,
        validate_by_alias=False,
    )

    environment: ClassVar[Environment]
    writable: ClassVar[bool]
    limits: ClassVar[Limits]

    api_key: Key | None = None
    base_url: AnyAddress = None
    project: Project = DEFAULT_PROJECT
    ingestion_api_key: IngestionKey | None = None
    data_plane_api_key: DataPlaneKey | None = None
    timeout: Seconds = Field(
        30.0,
        validation_alias=AliasChoices("HH_INTEGRATION_TIMEOUT"),
        description="how long a test waits for an environment to show what it was sent, in seconds",
    )

    _sources: tuple[tuple[str, str], ...] = PrivateAttr(())

    def __init__(self, found: tuple[Place, ...] = ()) -> None:
        """Resolve the settings from what stands in these places, the first place first."""
        problems: list[ErrorDetails] = []
        try:
            super().__init__(_build_sources=(tuple(FromPlace(type(self), place) for place in found), {}))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
        # Not raised in the except clause: the new error would carry the old one, which holds the input.
        if problems:
            raise refusal(type(self), self.environment, problems, found)
        self._sources = tuple(
            (name, source) for name, field in type(self).model_fields.items() if (source := origin(field, found))
        )
        self._check()
        self._refuse_production_host(found)

    @property
    def embedded(self) -> bool:
        """Whether the environment is a service that a cell brings up."""
        return self.base_url is None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What tests may count on here beyond what every environment offers."""
        return frozenset()

    def secrets(self) -> tuple[str, ...]:
        """Return every secret value: what the scrubber looks for."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    def describe(self) -> tuple[Setting, ...]:
        """Return the resolved profile, line by line, for people to read."""
        sources = dict(self._sources)
        nothing = {"base_url": "the embedded service"}
        settings = (
            Setting(name, _shown(getattr(self, name), nothing.get(name, UNSET)), sources.get(name, "default"))
            for name in type(self).model_fields
        )
        fixed = (
            Setting("writable", "yes" if self.writable else "no", "fixed"),
            Setting("requests_per_second", _shown(self.limits.requests_per_second, "no limit"), "fixed"),
            Setting("concurrent_cells", _shown(self.limits.concurrent_cells, "no limit"), "fixed"),
            Setting("capabilities", ", ".join(sorted(self.capabilities)) or "none", "fixed"),
        )
        return (*settings, *fixed)

    def _check(self) -> None:
        """Refuse settings that are right alone and wrong together."""

    def _refuse_production_host(self, found: tuple[Place, ...]) -> None:
        if not self.writable or self.base_url is None:
            return
        if addresses.is_production(addresses.parse(self.base_url), _named_production(found)):
            raise ProductionHostRefused(
                f"{self.environment} may be written to, and its base URL, {self.base_url}, is a production server"
                f" ({dict(self._sources).get('base_url', 'default')})",
                expected="any server that is neither HoneyHive's production nor in HH_PROD_BASE_URL or HH_PROD_HOSTS",
                remedy=f"correct {' or '.join(variables(type(self).model_fields['base_url']))}",
            )


class Development(Profile):
    """The embedded service, or a development server of one's own."""

    environment = Environment.DEVELOPMENT
    writable = True
    limits = Limits()

    api_key: Key | None = Field(
        None,
        validation_alias=AliasChoices("HH_DEV_API_KEY"),
        description="the key to a development server of your own; needed with HH_DEV_BASE_URL, and only then",
    )
    base_url: AnyAddress = Field(
        None,
        validation_alias=AliasChoices("HH_DEV_BASE_URL"),
        description="a development server of your own instead of the embedded service",
    )
    project: Project = Field(
        DEFAULT_PROJECT,
        validation_alias=AliasChoices("HH_DEV_PROJECT"),
        description="the project that development tests work in",
    )

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Of the embedded service everything is known; of a server of one's own, only what stands beside it."""
        return _EMBEDDED if self.embedded else frozenset({Capability.LLM, Capability.SCRIPTED_LLM})

    def _check(self) -> None:
        if self.base_url is not None and self.api_key is None:
            raise MissingCredential(
                "HH_DEV_BASE_URL names a development server, and there is no key to it",
                expected="HH_DEV_API_KEY",
                remedy=f"set it in {places_for(self.environment)}; or remove HH_DEV_BASE_URL for the embedded service",
            )
        if self.base_url is None and self.api_key is not None:
            raise InvalidSetting(
                "HH_DEV_API_KEY is a key to nothing: the embedded service makes its own",
                expected="HH_DEV_BASE_URL beside it, or neither",
                remedy="set HH_DEV_BASE_URL, or remove HH_DEV_API_KEY",
            )


class Staging(Profile):
    """HoneyHive's staging deployment: real, shared with others, and free to be written to."""

    environment = Environment.STAGING
    writable = True
    limits = Limits(requests_per_second=10, concurrent_cells=2)

    api_key: Key = Field(
        validation_alias=AliasChoices("HH_STAGING_API_KEY", "HH_INTEGRATION_API_KEY"),
        description="the key to staging",
    )
    base_url: SecureAddress = Field(
        "https://api-staging.honeyhive.ai",
        validation_alias=AliasChoices("HH_STAGING_BASE_URL", "HH_INTEGRATION_BASE_URL"),
        description="where staging is",
    )
    ca_file: Authority = Field(
        None,
        validation_alias=AliasChoices("HH_STAGING_CA_FILE"),
        description="staging's private certificate authority, a PEM file; else those of the system",
    )
    project: Project = Field(
        DEFAULT_PROJECT,
        validation_alias=AliasChoices("HH_STAGING_PROJECT", "HH_INTEGRATION_PROJECT"),
        description="the project that staging tests work in",
    )
    ingestion_api_key: IngestionKey | None = Field(
        None,
        validation_alias=AliasChoices("HH_STAGING_INGESTION_API_KEY"),
        description="the ingestion key to staging, for the lines that know one (from 1.6)",
    )
    data_plane_api_key: DataPlaneKey | None = Field(
        None,
        validation_alias=AliasChoices("HH_STAGING_DATA_PLANE_API_KEY"),
        description="the data plane key to staging, for the lines that know one (from 1.7)",
    )
    openai_api_key: Key | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_API_KEY"),
        description="a real OpenAI key for staging; no test uses it: models are called in development only",
    )
    anthropic_api_key: Key | None = Field(
        None,
        validation_alias=AliasChoices("ANTHROPIC_API_KEY"),
        description="a real Anthropic key for staging; no test uses it: models are called in development only",
    )

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What every deployment has, and that what a test creates is deleted."""
        return frozenset({Capability.GATEWAY, Capability.DELETE})


class Production(Profile):
    """HoneyHive's production deployment: read, never written to."""

    environment = Environment.PRODUCTION
    writable = False
    limits = Limits(requests_per_second=5, concurrent_cells=1)

    api_key: Key = Field(
        validation_alias=AliasChoices("HH_PROD_API_KEY"),
        description="the key to production, which is only ever read",
    )
    base_url: SecureAddress = Field(
        "https://api.dp1.us.honeyhive.ai",
        validation_alias=AliasChoices(PRODUCTION_URL),
        description="where production is; development and staging refuse this server too",
    )
    hosts: Servers = Field(
        tuple(f"{host}:443" for host in sorted(addresses.PRODUCTION_HOSTS)),
        validation_alias=AliasChoices(PRODUCTION_HOSTS),
        description="the servers that production may be (host:port, separated by commas); any other is not reached",
    )
    ca_file: Authority = Field(
        None,
        validation_alias=AliasChoices("HH_PROD_CA_FILE"),
        description="production's private certificate authority, a PEM file; else those of the system",
    )
    project: Project = Field(
        DEFAULT_PROJECT,
        validation_alias=AliasChoices("HH_PROD_PROJECT"),
        description="the project that production tests read",
    )
    ingestion_api_key: IngestionKey | None = Field(
        None,
        validation_alias=AliasChoices("HH_PROD_INGESTION_API_KEY"),
        description="the ingestion key to production, for the lines that know one (from 1.6)",
    )
    data_plane_api_key: DataPlaneKey | None = Field(
        None,
        validation_alias=AliasChoices("HH_PROD_DATA_PLANE_API_KEY"),
        description="the data plane key to production, for the lines that know one (from 1.7)",
    )

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What every deployment has, and that nothing is written."""
        return frozenset({Capability.GATEWAY, Capability.READ_ONLY})

    def refuse_unless_armed(self) -> None:
        """Raise ProductionNotArmed unless the base URL is one of the servers that production may be."""
        address = addresses.parse(self.base_url)
        if address.host_and_port not in self.hosts:
            raise ProductionNotArmed(
                f"production is {self.base_url}, which is none of the servers that production may be:"
                f" {', '.join(self.hosts)}",
                expected=f"{address.host_and_port} in {PRODUCTION_HOSTS}, if that really is your production",
                remedy=f"correct {PRODUCTION_URL}, or set {PRODUCTION_HOSTS} in {places_for(self.environment)}",
            )


PROFILES: Mapping[Environment, type[Profile]] = {
    profile.environment: profile for profile in (Development, Staging, Production)
}


def load(environment: Environment, root: Path) -> Profile:
    """Resolve an environment's settings from the process environment and the files in `root`."""
    known = frozenset(variable for row in settings_table() for variable in row.variables)
    found: tuple[Place, ...] = (
        places.process_environment(),
        places.env_file(root / f".env.{environment}"),
        places.env_file(root / ".env"),
        places.secrets_folder(root / ".secrets", known),
    )
    places.refuse_problems(found)
    places.refuse_unknown(found, known | places.SDK_VARIABLES)
    if environment is not Environment.PRODUCTION:
        # For the lines that say which servers are production: no writable profile may point there.
        elsewhere = places.env_file(root / f".env.{Environment.PRODUCTION}").only(PRODUCTION_URL, PRODUCTION_HOSTS)
        places.refuse_problems((elsewhere,))
        found = (*found, elsewhere)
    return PROFILES[environment](found)


def settings_table() -> tuple[SettingRow, ...]:
    """Return every setting that can come from outside, in the order of the README's table."""
    rows = {
        row.variables: row
        for profile in PROFILES.values()
        for field in profile.model_fields.values()
        if (row := SettingRow(variables(field), field.description or "", _default(field))).variables
    }
    return tuple(rows.values())


_NAMING_PRODUCTION: Mapping[str, Callable[[str], tuple[str, ...]]] = {
    PRODUCTION_URL: lambda url: (url,),
    PRODUCTION_HOSTS: lambda servers: tuple(f"https://{server}" for server in shapes.servers(servers)),
}


def _named_production(found: tuple[Place, ...]) -> list[addresses.Address]:
    """Return every server that is named as production, wherever; one that cannot be made out is refused."""
    named, wrong = [], []
    for place in found:
        for variable, read in _NAMING_PRODUCTION.items():
            if value := place.values.get(variable):
                try:
                    named += [addresses.parse(url) for url in read(value.get_secret_value())]
                except ValueError as error:
                    wrong.append((f"{variable}, in {place.label}", str(error)))
    if wrong:
        raise wrong_shape(wrong)
    return named


def _shown(value: object, nothing: str = UNSET) -> str:
    if value is None:
        return nothing
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, SecretStr):
        return HIDDEN
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else _shown(field.default)
