from __future__ import annotations

import itertools
import logging
import os
import pickle
import re
import threading
import traceback
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from environments.errors import (
    InvalidSetting,
    MissingCredential,
    ProductionHostRefused,
    ProductionNotArmed,
    ProfileError,
    UnknownVariable,
)
from environments.matrix import Environment
from environments.profiles import Capability, Development, Limits, Production, Profile, Staging, load, settings_table
from environments.profiles.addresses import EXPECTED, PRODUCTION_HOSTS, is_production, parse
from environments.profiles.places import SDK_VARIABLES, Place, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable

DEVELOPMENT, STAGING, PRODUCTION = Environment
REPOSITORY = Path(__file__).resolve().parents[2]

INGESTION_KEY = "hh_ingst_" + "a1" * 12 + "_" + "B-" * 32
DATA_PLANE_KEY = "hh_fgdp_" + "a1" * 12 + "_" + "B_" * 32

# As the README promises them.
VARIABLES = frozenset(
    {
        "HH_DEV_API_KEY",
        "HH_DEV_BASE_URL",
        "HH_DEV_PROJECT",
        "HH_STAGING_API_KEY",
        "HH_INTEGRATION_API_KEY",
        "HH_STAGING_BASE_URL",
        "HH_STAGING_CA_FILE",
        "HH_INTEGRATION_BASE_URL",
        "HH_STAGING_PROJECT",
        "HH_INTEGRATION_PROJECT",
        "HH_INTEGRATION_TIMEOUT",
        "HH_PROD_API_KEY",
        "HH_PROD_BASE_URL",
        "HH_PROD_CA_FILE",
        "HH_PROD_HOSTS",
        "HH_PROD_PROJECT",
        "HH_STAGING_INGESTION_API_KEY",
        "HH_STAGING_DATA_PLANE_API_KEY",
        "HH_PROD_INGESTION_API_KEY",
        "HH_PROD_DATA_PLANE_API_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
    }
)
SECRET_VARIABLES = frozenset(name for name in VARIABLES if name.endswith("_API_KEY"))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("HH_") or name.upper().endswith("_API_KEY"):
            monkeypatch.delenv(name)


class Places:
    """The places that a profile is read from, to be furnished by a test."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch

    def put(self, place: str, name: str, value: str) -> None:
        """Put a variable into a place."""
        if place == "process":
            self._monkeypatch.setenv(name, value)
        elif place == "secrets":
            (self.root / ".secrets").mkdir(exist_ok=True)
            (self.root / ".secrets" / name).write_text(value, encoding="utf-8")
        else:
            with (self.root / place).open("a", encoding="utf-8") as file:
                file.write(f"{name}={value}\n")

    def process(self, **variables: str) -> None:
        """Put variables into the process environment."""
        for name, value in variables.items():
            self.put("process", name, value)

    def write(self, place: str, text: str) -> None:
        """Write a whole file."""
        (self.root / place).write_text(text, encoding="utf-8")

    def refused(self, environment: Environment) -> ProfileError:
        """Return the error that loading ends with."""
        with pytest.raises(ProfileError) as caught:
            load(environment, self.root)
        return caught.value


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return Places(tmp_path, monkeypatch)


def source(profile: Profile, name: str) -> str:
    return next(setting.source for setting in profile.describe() if setting.name == name)


# ---- What a profile is -------------------------------------------------------------------------------


def test_development_needs_no_settings_and_is_the_embedded_service(places: Places) -> None:
    profile = load(DEVELOPMENT, places.root)

    assert isinstance(profile, Development)
    assert profile.embedded
    assert (profile.api_key, profile.base_url, profile.project) == (None, None, "integration-test-project")
    assert profile.writable
    assert profile.limits == Limits(requests_per_second=None, concurrent_cells=None)
    assert profile.capabilities == frozenset(Capability) - {Capability.GATEWAY, Capability.READ_ONLY}


def test_development_can_be_a_server_of_ones_own_of_which_nothing_is_taken_for_granted(places: Places) -> None:
    places.process(HH_DEV_BASE_URL="http://dev.corp:8080/", HH_DEV_API_KEY="key", HH_DEV_PROJECT="mine")

    profile = load(DEVELOPMENT, places.root)

    assert not profile.embedded
    assert (profile.base_url, profile.project, profile.secrets()) == ("http://dev.corp:8080", "mine", ("key",))
    assert profile.capabilities == {Capability.LLM, Capability.SCRIPTED_LLM}


def test_staging_needs_a_key_and_has_defaults_for_the_rest(places: Places) -> None:
    places.process(HH_STAGING_API_KEY="key")

    profile = load(STAGING, places.root)

    assert isinstance(profile, Staging)
    assert profile.base_url == "https://api-staging.honeyhive.ai"
    assert profile.project == "integration-test-project"
    assert profile.timeout == 30
    assert profile.writable
    assert not profile.embedded
    assert profile.limits.requests_per_second == 10
    assert profile.limits.concurrent_cells == 2


def test_production_is_the_default_of_the_sdk_and_cannot_be_written_to(places: Places) -> None:
    places.process(HH_PROD_API_KEY="key")

    profile = load(PRODUCTION, places.root)

    assert isinstance(profile, Production)
    assert profile.base_url == "https://api.dp1.us.honeyhive.ai"
    assert not profile.writable
    assert profile.limits == Limits(requests_per_second=5, concurrent_cells=1)
    assert profile.capabilities == {Capability.GATEWAY, Capability.READ_ONLY}


def test_production_is_armed_for_the_servers_of_honeyhive_and_for_those_that_its_list_names(places: Places) -> None:
    places.process(HH_PROD_API_KEY="key")
    production(places).refuse_unless_armed()

    places.process(HH_PROD_BASE_URL="https://hh.corp:8443/api", HH_PROD_HOSTS="other.corp, HH.corp:8443")
    production(places).refuse_unless_armed()

    places.process(HH_PROD_BASE_URL="https://[::1]:8443", HH_PROD_HOSTS="[::1]:8443")
    production(places).refuse_unless_armed()


def test_production_elsewhere_is_refused_with_the_line_that_would_arm_it(places: Places) -> None:
    places.process(HH_PROD_API_KEY="key", HH_PROD_BASE_URL="https://hh.corp", HH_PROD_HOSTS="hh.corp:8443")

    with pytest.raises(ProductionNotArmed) as raised:
        production(places).refuse_unless_armed()

    assert raised.value.happened == (
        "production is https://hh.corp, which is none of the servers that production may be: hh.corp:8443"
    )
    assert raised.value.expected == "hh.corp:443 in HH_PROD_HOSTS, if that really is your production"


@pytest.mark.parametrize("hosts", ["hh.corp/api", "https://hh.corp", "a corp", "hh.corp,,other.corp"])
def test_a_list_of_production_servers_that_is_none_is_refused(places: Places, hosts: str) -> None:
    places.process(HH_PROD_API_KEY="key", HH_PROD_HOSTS=hosts)

    with pytest.raises(InvalidSetting, match="hosts, perhaps with a port each, separated by commas"):
        production(places)


def test_staging_at_a_server_that_the_list_names_as_production_is_refused(places: Places) -> None:
    places.process(HH_STAGING_API_KEY="key", HH_STAGING_BASE_URL="https://hh.corp", HH_PROD_HOSTS="[::1]:8443,hh.corp")

    with pytest.raises(ProductionHostRefused, match=r"https://hh\.corp, is a production server"):
        load(STAGING, places.root)


def test_a_private_authority_is_a_file_that_is_there(places: Places, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    places.process(HH_STAGING_API_KEY="key", HH_STAGING_CA_FILE=str(tmp_path / "ca.pem"))
    staging = load(STAGING, places.root)
    assert isinstance(staging, Staging)
    assert staging.ca_file == tmp_path / "ca.pem"

    places.process(HH_STAGING_CA_FILE=str(tmp_path / "none.pem"))
    with pytest.raises(InvalidSetting, match="the path of a file that is there"):
        load(STAGING, places.root)


def production(places: Places) -> Production:
    """Resolve the settings of production."""
    profile = load(PRODUCTION, places.root)
    assert isinstance(profile, Production)
    return profile


@pytest.mark.parametrize("environment", Environment)
def test_the_timeout_holds_for_every_environment(places: Places, environment: Environment) -> None:
    places.process(HH_INTEGRATION_TIMEOUT="2.5", HH_STAGING_API_KEY="key", HH_PROD_API_KEY="key")

    assert load(environment, places.root).timeout == 2.5


@pytest.mark.parametrize("environment", Environment)
def test_a_bare_name_sets_nothing(places: Places, environment: Environment) -> None:
    places.process(HH_STAGING_API_KEY="key", HH_PROD_API_KEY="key")
    plain = load(environment, places.root)

    for name in [*Staging.model_fields, "environment", "writable", "limits", "capabilities", "embedded"]:
        if name not in ("openai_api_key", "anthropic_api_key"):
            places.process(**{name.upper(): "1", name: "1"})

    assert load(environment, places.root) == plain


@pytest.mark.parametrize("name", ["HH_PROD_WRITABLE", "HH_PROD_LIMITS", "HH_PROD_CAPABILITIES", "HH_STAGING_LIMITS"])
def test_permissions_and_limits_have_no_variable(places: Places, name: str) -> None:
    places.process(**{name: "1"})

    assert isinstance(places.refused(PRODUCTION), UnknownVariable)


def test_a_profile_takes_no_values_from_its_caller() -> None:
    anything: Any = {"writable": True, "base_url": "https://api.honeyhive.ai"}

    with pytest.raises(TypeError):
        Development(**anything)
    with pytest.raises(TypeError):
        Development.model_validate(anything)


@pytest.mark.parametrize("name", ["base_url", "api_key", "writable", "environment", "limits"])
def test_a_profile_is_frozen(name: str) -> None:
    with pytest.raises((ValidationError, AttributeError)):
        setattr(Development(), name, None)


def test_limits_and_described_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Production.limits.concurrent_cells = 9  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Development().describe()[0].value = "x"  # type: ignore[misc]


def test_typed_keys_and_provider_keys_belong_to_the_secrets_of_staging(places: Places) -> None:
    places.process(
        HH_STAGING_API_KEY="key",
        HH_STAGING_INGESTION_API_KEY=INGESTION_KEY,
        HH_STAGING_DATA_PLANE_API_KEY=DATA_PLANE_KEY,
        OPENAI_API_KEY="openai",
        ANTHROPIC_API_KEY="anthropic",
    )

    assert set(load(STAGING, places.root).secrets()) == {"key", INGESTION_KEY, DATA_PLANE_KEY, "openai", "anthropic"}


def test_only_staging_reads_the_keys_to_real_llm_providers(places: Places) -> None:
    places.process(HH_PROD_API_KEY="key", OPENAI_API_KEY="openai", ANTHROPIC_API_KEY="anthropic")

    assert load(PRODUCTION, places.root).secrets() == ("key",)
    assert load(DEVELOPMENT, places.root).secrets() == ()


def test_what_the_sdk_reads_is_accepted_and_never_used(places: Places) -> None:
    for name in SDK_VARIABLES:
        for place in ("process", ".env", ".env.staging", "secrets"):
            places.put(place, name, "sdk-value")

    assert load(DEVELOPMENT, places.root).secrets() == ()
    assert "HH_API_KEY is the SDK's own; it is never read here" in str(places.refused(STAGING))


# ---- Precedence --------------------------------------------------------------------------------------

ORDER = ["process", ".env.staging", ".env", "secrets"]
PAIRS = [pytest.param(a, b, id=f"{a}-beats-{b}") for a, b in itertools.pairwise(ORDER)]


@pytest.mark.parametrize(("stronger", "weaker"), PAIRS)
def test_the_stronger_place_wins(places: Places, stronger: str, weaker: str) -> None:
    places.put(weaker, "HH_STAGING_API_KEY", "weaker")
    places.put(stronger, "HH_STAGING_API_KEY", "stronger")

    assert load(STAGING, places.root).secrets() == ("stronger",)


@pytest.mark.parametrize(("stronger", "weaker"), PAIRS)
def test_the_stronger_place_wins_even_under_the_second_name(places: Places, stronger: str, weaker: str) -> None:
    places.put(weaker, "HH_STAGING_API_KEY", "weaker")
    places.put(stronger, "HH_INTEGRATION_API_KEY", "stronger")

    assert load(STAGING, places.root).secrets() == ("stronger",)


@pytest.mark.parametrize("place", ORDER)
@pytest.mark.parametrize("setting", ["API_KEY", "BASE_URL", "PROJECT"])
def test_in_one_place_the_first_name_wins(places: Places, place: str, setting: str) -> None:
    places.put(place, "HH_STAGING_API_KEY", "key")
    places.put(place, f"HH_INTEGRATION_{setting}", "https://second")
    places.put(place, f"HH_STAGING_{setting}", "https://first")

    assert source(load(STAGING, places.root), setting.lower()).startswith(f"HH_STAGING_{setting}, in ")


@pytest.mark.parametrize("setting", ["API_KEY", "BASE_URL", "PROJECT"])
@pytest.mark.parametrize("blank", ["", " ", "\t \t", '" "'], ids=["empty", "blank", "tabs", "quoted"])
@pytest.mark.parametrize("place", ORDER)
def test_an_empty_first_name_gives_way_to_the_second(places: Places, place: str, blank: str, setting: str) -> None:
    places.put(place, "HH_STAGING_API_KEY", "key")
    # Only a .env file has quotes.
    blank = blank if place.startswith(".") else blank.strip('"')
    places.put(place, f"HH_STAGING_{setting}", blank)
    places.put(place, f"HH_INTEGRATION_{setting}", "https://second")

    assert source(load(STAGING, places.root), setting.lower()).startswith(f"HH_INTEGRATION_{setting}, in ")


@pytest.mark.parametrize("blank", ["", " \t"])
@pytest.mark.parametrize(("stronger", "weaker"), PAIRS)
def test_an_empty_value_in_a_stronger_place_is_unset(places: Places, stronger: str, weaker: str, blank: str) -> None:
    places.put(weaker, "HH_STAGING_API_KEY", "weaker")
    places.put(stronger, "HH_STAGING_API_KEY", blank)

    assert load(STAGING, places.root).secrets() == ("weaker",)


@pytest.mark.parametrize("place", ORDER)
def test_a_key_that_is_blank_everywhere_is_missing(places: Places, place: str) -> None:
    places.put(place, "HH_STAGING_API_KEY", "  ")

    assert isinstance(places.refused(STAGING), MissingCredential)


@pytest.mark.parametrize("place", ORDER)
def test_blanks_around_a_value_do_not_count(places: Places, place: str) -> None:
    places.put(place, "HH_STAGING_API_KEY", "  key \t")

    assert load(STAGING, places.root).secrets() == ("key",)


@pytest.mark.parametrize("place", ORDER)
def test_case_is_no_part_of_a_name(places: Places, place: str) -> None:
    places.put(place, "hh_Staging_api_KEY", "key")

    assert load(STAGING, places.root).secrets() == ("key",)


@pytest.mark.parametrize("place", ORDER)
def test_of_two_spellings_in_one_place_the_upper_case_one_wins(places: Places, place: str) -> None:
    for name in ("hh_staging_api_key", "HH_STAGING_API_KEY", "Hh_Staging_Api_Key"):
        places.put(place, name, name)

    assert load(STAGING, places.root).secrets() == ("HH_STAGING_API_KEY",)


def test_the_env_file_of_another_environment_is_not_read(places: Places) -> None:
    places.put(".env.production", "HH_STAGING_API_KEY", "key")
    places.put(".env.development", "HH_STAGING_API_KEY", "key")

    assert isinstance(places.refused(STAGING), MissingCredential)


@pytest.mark.parametrize("mask", range(1, 8))
def test_places_rank_as_in_pydantic_settings_itself(places: Places, mask: int) -> None:
    class Plain(BaseSettings):
        model_config = SettingsConfigDict(
            env_file=(places.root / ".env", places.root / ".env.staging"),
            secrets_dir=places.root / ".secrets",
            env_ignore_empty=True,
            extra="ignore",
        )
        hh_staging_api_key: str

    (places.root / ".secrets").mkdir()
    places.put("secrets", "HH_STAGING_API_KEY", "secrets")
    for bit, place in enumerate(ORDER[:3]):
        if mask & 1 << bit:
            places.put(place, "HH_STAGING_API_KEY", place)

    assert load(STAGING, places.root).secrets() == (Plain().hh_staging_api_key,)


# ---- Reading files -----------------------------------------------------------------------------------


def test_an_env_file_may_be_written_as_people_write_them(places: Places) -> None:
    places.write(
        ".env",
        "\ufeff# mine\r\nX=1\r\nexport HH_STAGING_API_KEY = 'key'  #\r\n\r\nHH_STAGING_PROJECT=\"two words\"\r\n",
    )

    profile = load(STAGING, places.root)

    assert (profile.secrets(), profile.project) == (("key",), "two words")


def test_an_env_file_may_be_a_pipe_which_can_be_read_only_once(places: Places) -> None:
    pipe = places.root / ".env.production"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("HH_PROD_API_KEY=key\n",), daemon=True)
    writer.start()

    assert load(PRODUCTION, places.root).secrets() == ("key",)

    writer.join()


def test_a_virtualenv_called_env_is_no_env_file(places: Places) -> None:
    (places.root / ".env").mkdir()

    assert load(DEVELOPMENT, places.root).embedded


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("HH_STAGING_API_KEY canary", 1),
        ("HH_STAGING_API_KEY: canary", 1),
        ("HH_STAGING_API_KEY:canary", 1),
        ("\n\n# comment\n\nhh_canary\n", 5),
        ("A=1\nHH_STAGING_API_KEY='canary\n", 2),
        ('A=1\nHH_STAGING_API_KEY="canary" canary\n', 2),
    ],
)
def test_a_line_that_is_no_assignment_is_named_by_its_number_and_not_shown(
    places: Places, text: str, line: int
) -> None:
    places.write(".env.staging", text)

    error = places.refused(STAGING)

    assert isinstance(error, InvalidSetting)
    assert error.happened == f".env.staging, line {line}, is not NAME=value"
    assert "canary" not in str(error)


def test_an_env_file_that_is_no_text_is_refused(places: Places) -> None:
    (places.root / ".env").write_bytes(b"HH_STAGING_API_KEY=canary\xff\n")

    assert places.refused(DEVELOPMENT).happened == ".env cannot be read as UTF-8 text"


def test_a_secret_may_be_a_link_within_the_folder_as_containers_mount_them(places: Places) -> None:
    places.put("secrets", "..data", "key\n")
    (places.root / ".secrets" / "HH_STAGING_API_KEY").symlink_to("..data")

    assert load(STAGING, places.root).secrets() == ("key",)


def test_a_secrets_folder_that_is_a_link_itself_is_read(places: Places) -> None:
    places.put("secrets", "HH_STAGING_API_KEY", "key")
    (places.root / ".secrets").rename(places.root / "elsewhere")
    (places.root / ".secrets").symlink_to("elsewhere")

    assert load(STAGING, places.root).secrets() == ("key",)


def _link_out(path: Path) -> None:
    (path.parent.parent / "outside").write_text("key", encoding="utf-8")
    path.symlink_to("../outside")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Path.mkdir, id="a folder"),
        pytest.param(lambda path: path.symlink_to(path.name), id="a link to itself"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="a link to nothing"),
        pytest.param(_link_out, id="a link out of the folder"),
        pytest.param(lambda path: path.write_bytes(b"canary\xff"), id="no text"),
    ],
)
def test_a_secret_that_is_no_file_of_the_folder_is_refused_by_name(
    places: Places, make: Callable[[Path], object]
) -> None:
    (places.root / ".secrets").mkdir()
    make(places.root / ".secrets" / "HH_STAGING_API_KEY")

    error = places.refused(STAGING)

    assert isinstance(error, InvalidSetting)
    assert ".secrets/: HH_STAGING_API_KEY is no UTF-8 text file" in error.happened


def test_other_files_in_the_secrets_folder_are_left_alone(places: Places) -> None:
    (places.root / ".secrets").mkdir()
    (places.root / ".secrets" / ".gitignore").write_bytes(b"\xff")
    (places.root / ".secrets" / "OTHER").mkdir()

    assert load(DEVELOPMENT, places.root).embedded


def test_a_secrets_folder_that_is_a_file_is_refused(places: Places) -> None:
    places.write(".secrets", "canary")

    assert places.refused(DEVELOPMENT).happened == ".secrets/ is no folder that can be read"


# ---- Missing credentials -----------------------------------------------------------------------------


def test_staging_without_a_key_names_the_variables_that_would_do_and_where_they_may_stand(places: Places) -> None:
    error = places.refused(STAGING)

    assert isinstance(error, MissingCredential)
    assert str(error).splitlines() == [
        "staging cannot be reached: there is no key to it",
        "  expected: HH_STAGING_API_KEY (or HH_INTEGRATION_API_KEY)",
        "  what to do: set it in the process environment, .env.staging or .env, or as a file of that name in .secrets/",
    ]


def test_production_without_a_key_names_the_variable_that_would_do(places: Places) -> None:
    error = places.refused(PRODUCTION)

    assert isinstance(error, MissingCredential)
    assert error.expected == "HH_PROD_API_KEY"
    assert ".env.production or .env" in error.remedy


def test_a_development_server_without_a_key_is_a_missing_credential(places: Places) -> None:
    places.process(HH_DEV_BASE_URL="http://dev.corp")

    error = places.refused(DEVELOPMENT)

    assert isinstance(error, MissingCredential)
    assert error.expected == "HH_DEV_API_KEY"


def test_a_development_key_without_a_server_is_a_key_to_nothing(places: Places) -> None:
    places.process(HH_DEV_API_KEY="key")

    error = places.refused(DEVELOPMENT)

    assert isinstance(error, InvalidSetting)
    assert error.happened == "HH_DEV_API_KEY is a key to nothing: the embedded service makes its own"
    assert "HH_DEV_BASE_URL" in error.expected


def test_a_wrong_value_is_reported_before_a_missing_key(places: Places) -> None:
    places.process(HH_INTEGRATION_TIMEOUT="soon")

    assert isinstance(places.refused(STAGING), InvalidSetting)


# ---- Unknown variables -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "label"),
    [
        ("process", "the process environment"),
        (".env.staging", ".env.staging"),
        (".env", ".env"),
        ("secrets", ".secrets/"),
    ],
)
@pytest.mark.parametrize("name", ["HH_STAGING_API_KYE", "hh_staging_api_kye", "Hh_Staging_Api_Kye"])
def test_an_unknown_name_is_shown_as_it_is_spelled_with_its_place_and_its_neighbour(
    places: Places, place: str, label: str, name: str
) -> None:
    places.put(place, name, "canary")

    error = places.refused(STAGING)

    assert isinstance(error, UnknownVariable)
    assert error.happened == f"{name}, in {label}, is none that anything reads (did you mean 'HH_STAGING_API_KEY'?)"


def test_every_unknown_name_is_reported_at_once(places: Places) -> None:
    places.process(HH_STAGING_API_KYE="key", HH_PROD_API_KYE="key")
    places.put(".env", "HH_STAGING_URL", "x")

    assert len(places.refused(STAGING).happened.splitlines()) == 3


def test_an_unknown_name_without_a_value_is_unset(places: Places) -> None:
    places.process(HH_STAGING_API_KYE="")

    assert load(DEVELOPMENT, places.root).embedded


@pytest.mark.parametrize("place", ORDER)
def test_the_variables_of_the_other_environments_are_known_in_each(places: Places, place: str) -> None:
    for name in VARIABLES - {"HH_DEV_API_KEY", "HH_DEV_BASE_URL", "HH_INTEGRATION_TIMEOUT"}:
        places.put(place, name, "https://example.com")

    assert load(DEVELOPMENT, places.root).embedded


@pytest.mark.parametrize("place", ORDER)
def test_the_guides_variable_that_no_release_reads_has_its_own_message(places: Places, place: str) -> None:
    places.put(place, "HH_BASE_URL", "https://api.honeyhive.ai")

    error = places.refused(STAGING)

    assert isinstance(error, UnknownVariable)
    assert "is in the guide, but no release of the SDK reads it" in error.happened
    assert "HH_API_URL" in error.happened
    assert "HH_DEV_BASE_URL or HH_STAGING_BASE_URL" in error.happened


@pytest.mark.parametrize(
    "name",
    [INGESTION_KEY.replace("-", "0"), "hh_k3yPastedWhereANameBelongs", "HH_STAGING_API_KEY:canary", "hh_a1b2c3d4"],
)
@pytest.mark.parametrize("place", ORDER)
def test_a_name_that_may_be_a_pasted_key_is_not_shown(places: Places, place: str, name: str) -> None:
    places.put(place, name, "x")

    error = places.refused(STAGING)

    assert "it is not shown: it may be a key" in error.happened
    assert name.casefold() not in _everything_about(error).casefold()


@given(st.sampled_from(sorted(VARIABLES)).filter(lambda name: name.startswith("HH_")), st.data())
def test_a_slip_of_one_letter_names_what_was_meant(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(4, len(name) - 2))
    slip = data.draw(
        st.sampled_from([name[:at] + name[at + 1 :], name[:at] + name[at + 1] + name[at] + name[at + 2 :]])
    )
    known = VARIABLES | SDK_VARIABLES
    if slip in known:
        return

    with pytest.raises(UnknownVariable, match=f"did you mean '{name}'"):
        refuse_unknown([Place.of("here", {slip: "value"})], known)


# ---- Wrong values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", "30s", "1e999", "30,5"])
def test_the_timeout_is_a_number_of_seconds_greater_than_zero(places: Places, value: str) -> None:
    places.put(".env", "HH_INTEGRATION_TIMEOUT", value)

    error = places.refused(DEVELOPMENT)

    assert isinstance(error, InvalidSetting)
    assert error.happened == "HH_INTEGRATION_TIMEOUT, in .env, has the wrong shape; its value is not shown"
    assert error.expected == "a number of seconds, greater than 0"
    assert value not in error.happened


@pytest.mark.parametrize("variable", ["HH_STAGING_API_KEY", "OPENAI_API_KEY"])
@pytest.mark.parametrize("value", ["two words", "line\nline", "kéy", "“key”"])
def test_a_key_must_be_fit_for_a_header(places: Places, variable: str, value: str) -> None:
    places.process(HH_STAGING_API_KEY="key")
    places.process(**{variable: value})

    error = places.refused(STAGING)

    assert isinstance(error, InvalidSetting)
    assert error.expected == "visible ASCII characters, without blanks"


@pytest.mark.parametrize("prefix", ["STAGING", "PROD"])
@pytest.mark.parametrize(("kind", "good"), [("INGESTION", INGESTION_KEY), ("DATA_PLANE", DATA_PLANE_KEY)])
def test_a_typed_key_has_the_shape_that_the_sdk_demands(places: Places, prefix: str, kind: str, good: str) -> None:
    variable = f"HH_{prefix}_{kind}_API_KEY"
    environment = STAGING if prefix == "STAGING" else PRODUCTION
    places.process(**{f"HH_{prefix}_API_KEY": "key", variable: good})

    assert good in load(environment, places.root).secrets()

    for bad in (
        good[:-1],
        good + "x",
        good.replace("_", "-", 2),
        good.upper(),
        "x" + good,
        good[:40] + "." + good[41:],
    ):
        places.process(**{variable: bad})
        error = places.refused(environment)
        assert isinstance(error, InvalidSetting)
        assert error.happened.startswith(f"{variable}, in the process environment, has the wrong shape")
        assert error.expected.startswith(good[: good.index("_", 3)])


def test_every_wrong_value_is_reported_at_once(places: Places) -> None:
    places.process(HH_INTEGRATION_TIMEOUT="soon", HH_INTEGRATION_API_KEY="key")
    places.put(".env", "HH_STAGING_BASE_URL", "api-staging.honeyhive.ai")

    error = places.refused(STAGING)

    assert error.happened.splitlines() == [
        "HH_STAGING_BASE_URL, in .env, has the wrong shape; its value is not shown",
        "HH_INTEGRATION_TIMEOUT, in the process environment, has the wrong shape; its value is not shown",
    ]
    assert len(error.expected.splitlines()) == 2


@pytest.mark.parametrize(
    "url",
    [
        "api-staging.honeyhive.ai",
        "//api-staging.honeyhive.ai",
        "ftp://api-staging.honeyhive.ai",
        "https://",
        "https:///v1",
        "https:host",
        "https://:443",
        "https://host:port",
        "https://host:70000",
        "https://host:0",
        "https://host?key=value",
        "https://host?",
        "https://host#part",
        "https://ho st",
        "https://host\\@other",
        "https://ho%73t",
        "https://a..b",
        "https://-host",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://1.2.3.4.5",
        "https://256.256.256.256",
        "https://host\u2100",
        "https://" + "a" * 64,
        "https://ho\tst",
    ],
)
def test_a_base_url_is_http_with_a_host_and_nothing_that_parsers_disagree_about(places: Places, url: str) -> None:
    places.process(HH_DEV_API_KEY="key", HH_DEV_BASE_URL=url)

    error = places.refused(DEVELOPMENT)

    assert isinstance(error, InvalidSetting)
    assert error.expected == "http:// or https:// and a host, perhaps with a port and a path, and nothing else"
    assert url not in error.happened


@pytest.mark.parametrize("user", ["user:canary@", "canary@", ":canary@", "@", "user:can@ary@"])
def test_a_base_url_with_a_password_is_refused_and_not_shown(places: Places, user: str) -> None:
    places.process(HH_DEV_API_KEY="key", HH_DEV_BASE_URL=f"https://{user}dev.corp")

    error = places.refused(DEVELOPMENT)

    assert isinstance(error, InvalidSetting)
    assert error.expected.endswith("no user name, no password")
    assert "canary" not in _everything_about(error)


@pytest.mark.parametrize("environment", [STAGING, PRODUCTION])
@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("http://elsewhere.corp", False),
        ("http://localhost.corp", False),
        ("http://10.0.0.1", False),
        ("http://[2001:db8::1]", False),
        ("https://elsewhere.corp", True),
        ("http://localhost:8080", True),
        ("http://api.localhost", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.1", True),
        ("http://[::1]:8080", True),
        ("http://[::ffff:127.0.0.1]", True),
    ],
)
def test_a_key_travels_by_https_unless_it_stays_on_this_machine(
    places: Places, environment: Environment, url: str, *, fine: bool
) -> None:
    places.process(HH_STAGING_API_KEY="key", HH_PROD_API_KEY="key")
    places.process(**{"HH_STAGING_BASE_URL" if environment is STAGING else "HH_PROD_BASE_URL": url})

    if fine:
        assert load(environment, places.root).base_url == str(parse(url))
    else:
        error = places.refused(environment)
        assert isinstance(error, InvalidSetting)
        assert error.expected.startswith("https://, because a key travels with every request")


# ---- Production is not for writing -------------------------------------------------------------------


@pytest.mark.parametrize("environment", [DEVELOPMENT, STAGING])
@pytest.mark.parametrize(
    "url",
    [
        "https://api.honeyhive.ai",
        "https://api.dp1.us.honeyhive.ai",
        "https://API.HoneyHive.AI",
        "https://api.honeyhive.ai.",
        "https://api.honeyhive.ai:443/",
        "https://api.honeyhive.ai:8443",
        "https://api.honeyhive.ai/some/path/",
        "HTTPS://api.honeyhive.ai",
        "https://api\u3002honeyhive\uff0eai",
        "https://\uff41\uff50\uff49.honeyhive.ai",
        "https://api.honey\u00adhive.ai",
        "https://api.honey\u200bhive.ai",
        "https://api.honeyhive.a\u2170",
    ],
)
def test_no_writable_profile_points_at_production_however_it_is_spelled(
    places: Places, environment: Environment, url: str
) -> None:
    places.process(HH_DEV_API_KEY="key", HH_DEV_BASE_URL=url, HH_STAGING_API_KEY="key", HH_STAGING_BASE_URL=url)

    error = places.refused(environment)

    assert isinstance(error, ProductionHostRefused)


def test_plain_http_does_not_hide_a_production_host(places: Places) -> None:
    places.process(HH_DEV_API_KEY="key", HH_DEV_BASE_URL="http://api.honeyhive.ai")

    assert isinstance(places.refused(DEVELOPMENT), ProductionHostRefused)


def test_the_refusal_says_which_variable_where_and_what_instead(places: Places) -> None:
    places.process(HH_STAGING_API_KEY="key")
    places.put(".env", "HH_INTEGRATION_BASE_URL", "https://api.honeyhive.ai/")

    assert str(places.refused(STAGING)).splitlines() == [
        (
            "staging may be written to, and its base URL, https://api.honeyhive.ai, is a production server"
            " (HH_INTEGRATION_BASE_URL, in .env)"
        ),
        "  expected: any server that is neither HoneyHive's production nor in HH_PROD_BASE_URL or HH_PROD_HOSTS",
        "  what to do: correct HH_STAGING_BASE_URL or HH_INTEGRATION_BASE_URL",
    ]


@pytest.mark.parametrize("place", ["process", ".env.staging", ".env", "secrets", ".env.production"])
def test_the_server_that_is_named_as_production_is_refused_wherever_that_stands(places: Places, place: str) -> None:
    places.process(HH_STAGING_API_KEY="key", HH_STAGING_BASE_URL="https://hh.corp/staging")
    places.put(place, "HH_PROD_BASE_URL", "https://HH.corp.")

    assert isinstance(places.refused(STAGING), ProductionHostRefused)


def test_a_stronger_place_does_not_hide_that_a_weaker_one_names_production(places: Places) -> None:
    places.process(
        HH_STAGING_API_KEY="key", HH_STAGING_BASE_URL="https://hh.corp", HH_PROD_BASE_URL="https://other.corp"
    )
    places.put(".env.production", "HH_PROD_BASE_URL", "https://hh.corp")

    assert isinstance(places.refused(STAGING), ProductionHostRefused)


def test_naming_another_production_does_not_unname_honeyhives_own(places: Places) -> None:
    places.process(
        HH_STAGING_API_KEY="key", HH_STAGING_BASE_URL="https://api.honeyhive.ai", HH_PROD_BASE_URL="https://hh.corp"
    )

    assert isinstance(places.refused(STAGING), ProductionHostRefused)


def test_a_production_that_cannot_be_made_out_stops_a_writable_profile(places: Places) -> None:
    places.process(HH_STAGING_API_KEY="key", HH_PROD_BASE_URL="hh.corp")

    error = places.refused(STAGING)

    assert isinstance(error, InvalidSetting)
    assert error.happened.startswith("HH_PROD_BASE_URL, in the process environment, has the wrong shape")


def test_the_rest_of_productions_env_file_stays_unread_by_the_others(places: Places) -> None:
    places.put(".env.production", "HH_INTEGRATION_TIMEOUT", "99")
    places.put(".env.production", "HH_UNKNOWN", "x")

    assert load(DEVELOPMENT, places.root).timeout == 30


def test_another_port_of_a_named_host_is_another_server(places: Places) -> None:
    places.process(
        HH_STAGING_API_KEY="key", HH_STAGING_BASE_URL="http://localhost:8001", HH_PROD_BASE_URL="http://localhost:8002"
    )

    assert load(STAGING, places.root).base_url == "http://localhost:8001"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://127.0.0.1:8000", "http://localhost:8000"),
        ("http://127.1:8000", "http://[::1]:8000"),
        ("http://0x7f000001:8000", "http://2130706433:8000"),
        ("http://0.0.0.0:8000", "https://localhost.:8000"),
        ("http://10.1:8000", "http://10.0.0.1:8000"),
        ("http://012.0.0.1", "http://10.0.0.1"),
        ("https://[2001:DB8:0::1]", "https://[2001:db8::1]"),
        ("https://[::ffff:10.0.0.1]", "https://10.0.0.1"),
        ("https://\uff11\uff10.0.0.1", "https://10.0.0.1"),
        ("https://bücher.corp", "https://xn--bcher-kva.CORP"),
        ("http://hh.corp", "https://hh.corp"),
        ("http://hh.corp:443", "https://hh.corp"),
    ],
)
def test_two_spellings_of_one_server_are_one_server(one: str, other: str) -> None:
    assert is_production(parse(one), [parse(other)])
    assert is_production(parse(other), [parse(one)])


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]([a-z0-9]{0,6}))?", fullmatch=True)


@given(name=NAMES, port=st.integers(1, 65535), data=st.data())
def test_case_a_trailing_dot_and_a_path_change_no_server(name: str, port: int, data: st.DataObject) -> None:
    spelled = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in name)
    spelled += data.draw(st.sampled_from(["", "."]))
    path = data.draw(st.sampled_from(["", "/", "/a/b"]))

    assert parse(f"https://{spelled}:{port}{path}").server == parse(f"https://{name}:{port}").server


@given(first=NAMES, second=NAMES)
def test_different_names_are_different_servers(first: str, second: str) -> None:
    one, other = parse(f"https://{first}"), parse(f"https://{second}")

    assert (one.server == other.server) == (first == second or (one.loopback and other.loopback))


@given(st.one_of(NAMES, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map("[{}]".format)), st.integers(1, 65535))
def test_the_normal_spelling_is_its_own_normal_spelling(host: str, port: int) -> None:
    address = parse(f"http://{host}:{port}/path/")

    assert parse(str(address)) == address


@given(st.text())
def test_whatever_stands_for_a_host_is_parsed_or_refused_without_being_quoted(text: str) -> None:
    said = ""
    try:
        parse(f"https://{text}")
    except ValueError as error:
        said = str(error)

    assert said in ("", EXPECTED, f"{EXPECTED}: no user name, no password")


@given(st.sampled_from(sorted(PRODUCTION_HOSTS)), st.integers(1, 65535))
def test_honeyhives_production_is_production_at_any_port(host: str, port: int) -> None:
    assert is_production(parse(f"http://{host}:{port}"), [])


# ---- No secret reaches text --------------------------------------------------------------------------

CANARY = "canary-7f3a"
TYPED_CANARIES = {"INGESTION": INGESTION_KEY, "DATA_PLANE": DATA_PLANE_KEY}


def _secret_for(name: str) -> str:
    return next((key for kind, key in TYPED_CANARIES.items() if kind in name), f"{CANARY}-{name}")


def _everything_about(error: BaseException) -> str:
    """Return all that a log, a crash reporter or a verbose traceback could show of an error."""
    shown = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    for one in (error, error.__cause__, error.__context__):
        if one is not None:
            shown += [str(one), repr(one), repr(vars(one)), repr(one.args)]
            deeper = traceback.TracebackException.from_exception(one, capture_locals=True, limit=-20)
            shown += _frames_of_this_project(deeper)
    return "\n".join(shown)


def _frames_of_this_project(trace: traceback.TracebackException) -> list[str]:
    # A test knows its own canaries.
    return [f"{frame.name}: {frame.locals}" for frame in trace.stack if "environments" in Path(frame.filename).parts]


WRONG = [
    pytest.param("HH_INTEGRATION_TIMEOUT", CANARY, id="timeout"),
    pytest.param("HH_STAGING_BASE_URL", f"https://user:{CANARY}@host", id="password in URL"),
    pytest.param("HH_STAGING_BASE_URL", f"https://{CANARY}:port", id="port"),
    pytest.param("HH_STAGING_BASE_URL", f"https://[{CANARY}]", id="brackets"),
    pytest.param("HH_STAGING_BASE_URL", f"https://{CANARY}\u2100", id="normalisation"),
    pytest.param("HH_STAGING_BASE_URL", f"http://host/{CANARY}", id="plain http"),
    pytest.param("HH_STAGING_BASE_URL", "https://api.honeyhive.ai", id="production host"),
    pytest.param("HH_PROD_BASE_URL", f"https://user:{CANARY}@host", id="password in production URL"),
    pytest.param("HH_STAGING_API_KEY", f"{CANARY} {CANARY}", id="blank in key"),
    pytest.param("HH_STAGING_INGESTION_API_KEY", CANARY, id="ingestion key"),
    pytest.param("HH_STAGING_DATA_PLANE_API_KEY", CANARY, id="data plane key"),
    pytest.param("OPENAI_API_KEY", f"{CANARY}\u00e9", id="provider key"),
    pytest.param("HH_STAGING_PROJECT", f"{CANARY}\u0007", id="project"),
    pytest.param("HH_STAGING_API_KYE", CANARY, id="unknown name"),
    pytest.param("HH_BASE_URL", f"https://user:{CANARY}@host", id="the guide's name"),
    pytest.param(f"hh_{CANARY}", CANARY, id="key as a name"),
    pytest.param("HH_STAGING_API_KEY", "", id="missing"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("place", ORDER)
def test_no_error_shows_a_secret(places: Places, place: str, name: str, value: str) -> None:
    for variable in SECRET_VARIABLES - {"HH_STAGING_API_KEY", "HH_INTEGRATION_API_KEY"}:
        for everywhere in ORDER:
            places.put(everywhere, variable, _secret_for(variable))
    if value:
        places.process(HH_STAGING_API_KEY=_secret_for("HH_STAGING_API_KEY"))
    for weaker in ORDER[: ORDER.index(place)]:
        # Let the wrong one be the one that counts.
        places.put(weaker, name, "")
    places.put(place, name, value)

    error = places.refused(STAGING)
    shown = _everything_about(error)

    assert (error.__cause__, error.__context__) == (None, None)
    for canary in (CANARY, INGESTION_KEY, DATA_PLANE_KEY):
        assert canary not in shown


def test_the_hunt_for_canaries_finds_one_in_a_message_in_a_cause_and_in_a_local() -> None:
    with pytest.raises(ValueError, match="http") as caught:
        parse(f"https://{CANARY}:port")
    assert CANARY in _everything_about(caught.value)

    assert CANARY in _everything_about(InvalidSetting(CANARY, remedy=""))
    chained = InvalidSetting("", remedy="")
    chained.__context__ = ValueError(CANARY)
    assert CANARY in _everything_about(chained)


@pytest.mark.parametrize(
    "data",
    [
        f"HH_STAGING_API_KEY {CANARY}".encode(),
        f"HH_STAGING_API_KEY='{CANARY}".encode(),
        f"hh_{CANARY}".encode(),
        f"HH_STAGING_API_KEY={CANARY}".encode() + b"\xff",
    ],
)
@pytest.mark.parametrize("file", [".env", ".env.staging", ".env.production"])
def test_no_error_about_an_env_file_shows_its_content(
    places: Places, caplog: pytest.LogCaptureFixture, data: bytes, file: str
) -> None:
    (places.root / file).write_bytes(data)

    assert CANARY not in _everything_about(places.refused(STAGING)) + caplog.text


@pytest.mark.parametrize("environment", [DEVELOPMENT, STAGING, PRODUCTION])
def test_a_profile_shows_no_secret_in_any_form(places: Places, environment: Environment) -> None:
    for variable in SECRET_VARIABLES:
        places.process(**{variable: _secret_for(variable)})
    places.process(HH_DEV_BASE_URL="https://dev.corp")
    profile = load(environment, places.root)
    assert profile.secrets()

    shown = [
        repr(profile),
        str(profile),
        format(profile),
        repr(profile.model_dump()),
        profile.model_dump_json(),
        repr(profile.describe()),
        repr(list(profile)),
        repr(vars(profile)),
    ]

    for secret in profile.secrets():
        assert secret not in "".join(shown)


def test_the_debug_log_of_pydantic_settings_shows_no_secret(places: Places, caplog: pytest.LogCaptureFixture) -> None:
    places.process(PYDANTIC_SETTINGS_DEBUG="1", HH_STAGING_API_KEY=CANARY)
    places.process(HH_STAGING_BASE_URL=f"https://user:{CANARY}@host")

    with caplog.at_level(logging.DEBUG):
        places.refused(STAGING)

    assert CANARY not in caplog.text


def test_a_place_shows_no_value() -> None:
    place = Place.of(".env", {"HH_STAGING_API_KEY": CANARY})

    assert CANARY not in repr(place) + repr(place.values)


def test_an_unpickled_profile_is_the_same_profile(places: Places) -> None:
    places.process(HH_STAGING_API_KEY="key")
    profile = load(STAGING, places.root)

    assert pickle.loads(pickle.dumps(profile)) == profile  # noqa: S301


# ---- What people are told ----------------------------------------------------------------------------


def test_a_profile_describes_where_each_value_came_from(places: Places) -> None:
    places.process(HH_INTEGRATION_API_KEY="key")
    places.put(".env.staging", "HH_STAGING_PROJECT", "mine")
    places.put(".env", "HH_INTEGRATION_TIMEOUT", "5")
    places.put("secrets", "OPENAI_API_KEY", "openai")

    rows = {row.name: (row.value, row.source) for row in load(STAGING, places.root).describe()}

    assert rows == {
        "api_key": ("set (hidden)", "HH_INTEGRATION_API_KEY, in the process environment"),
        "base_url": ("https://api-staging.honeyhive.ai", "default"),
        "ca_file": ("not set", "default"),
        "project": ("mine", "HH_STAGING_PROJECT, in .env.staging"),
        "ingestion_api_key": ("not set", "default"),
        "data_plane_api_key": ("not set", "default"),
        "timeout": ("5", "HH_INTEGRATION_TIMEOUT, in .env"),
        "openai_api_key": ("set (hidden)", "OPENAI_API_KEY, in .secrets/"),
        "anthropic_api_key": ("not set", "default"),
        "writable": ("yes", "fixed"),
        "requests_per_second": ("10", "fixed"),
        "concurrent_cells": ("2", "fixed"),
        "capabilities": ("delete, gateway", "fixed"),
    }


def test_development_describes_itself_as_the_embedded_service(places: Places) -> None:
    rows = {row.name: row.value for row in load(DEVELOPMENT, places.root).describe()}

    assert rows["base_url"] == "the embedded service"
    assert rows["requests_per_second"] == "no limit"
    assert rows["capabilities"] == "delete, llm, mint-project, scripted-llm, second-project"


def test_the_table_of_settings_holds_what_was_promised_once_each_and_says_what_it_is_for() -> None:
    table = settings_table()
    listed = [variable for row in table for variable in row.variables]

    assert sorted(listed) == sorted(VARIABLES)
    assert all(row.purpose and row.default for row in table)
    assert all("|" not in row.purpose + row.default for row in table)


def test_the_table_of_settings_knows_the_defaults() -> None:
    defaults = {row.variables[0]: row.default for row in settings_table()}

    assert defaults["HH_STAGING_API_KEY"] == "required"
    assert defaults["HH_STAGING_BASE_URL"] == "https://api-staging.honeyhive.ai"
    assert defaults["HH_INTEGRATION_TIMEOUT"] == "30"
    assert defaults["OPENAI_API_KEY"] == "not set"


def test_the_sdks_variables_are_none_of_ours() -> None:
    assert not SDK_VARIABLES & VARIABLES
    assert "HH_BASE_URL" not in SDK_VARIABLES


EXAMPLE = (REPOSITORY / ".env.example").read_text(encoding="utf-8")


def test_the_example_lists_every_variable_once_each_under_a_line_that_says_what_it_is_for() -> None:
    lines = EXAMPLE.splitlines()
    assigned = [(at, match[1]) for at, line in enumerate(lines) if (match := re.fullmatch(r"# ([A-Z_]+)=\S*", line))]

    assert sorted(name for _, name in assigned) == sorted(VARIABLES)
    assert all(re.fullmatch(r"# [A-Z].+\.", lines[at - 1]) for at, _ in assigned)


def test_the_example_sets_nothing_when_it_is_copied(places: Places) -> None:
    places.write(".env", EXAMPLE)

    assert load(DEVELOPMENT, places.root) == Development()


def test_the_example_can_be_uncommented_as_a_whole_and_shows_the_defaults(places: Places) -> None:
    places.write(".env", re.sub(r"(?m)^# ([A-Z_]+=)", r"\1", EXAMPLE))
    places.process(HH_STAGING_API_KEY="key", HH_PROD_API_KEY="key")

    for environment in Environment:
        profile = load(environment, places.root)
        for name, field in type(profile).model_fields.items():
            if name != "api_key":
                assert getattr(profile, name) == field.default
