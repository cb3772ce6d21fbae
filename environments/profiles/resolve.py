"""Resolving: which variable in which place gives a field its value, and the words for what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from environments.errors import InvalidSetting, MatrixError, MissingCredential
from environments.profiles.places import PROCESS, SECRETS

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from environments.matrix import Environment
    from environments.profiles.places import Place


class FromPlace(PydanticBaseSettingsSource):
    """A source of pydantic-settings: one place."""

    def __init__(self, profile: type[BaseSettings], place: Place) -> None:
        super().__init__(profile)
        self._place = place

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of the first of the field's variables that stands here."""
        variable = self._place.first(variables(field))
        return (self._place.values[variable] if variable else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the value of every field that has one here."""
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}


def variables(field: FieldInfo) -> tuple[str, ...]:
    """Return the variables that a field is set by, the first to be considered first."""
    alias = field.validation_alias
    return tuple(str(choice) for choice in alias.choices) if isinstance(alias, AliasChoices) else ()


def origin(field: FieldInfo, found: tuple[Place, ...]) -> str | None:
    """Return the variable and the place that a field's value comes from: the first place wins, then the first name."""
    return next((f"{name}, in {place.label}" for place in found if (name := place.first(variables(field)))), None)


def refusal(
    profile: type[BaseSettings], environment: Environment, problems: list[ErrorDetails], found: tuple[Place, ...]
) -> MatrixError:
    """Word what pydantic refused, naming variables and places, and no values."""
    invalid = [problem for problem in problems if problem["type"] != "missing"]
    fields = [profile.model_fields[str(problem["loc"][0])] for problem in invalid or problems]
    if not invalid:
        return _missing(environment, fields, found)
    return wrong_shape(
        [
            (origin(field, found) or "a default", problem["msg"].removeprefix("Value error, "))
            for field, problem in zip(fields, invalid, strict=True)
        ]
    )


def wrong_shape(wrong: list[tuple[str, str]]) -> InvalidSetting:
    """Word values of the wrong shape: where each stands, and what was expected of it."""
    return InvalidSetting(
        "\n".join(f"{where}, has the wrong shape; its value is not shown" for where, _ in wrong),
        expected="\n            ".join(expected for _, expected in wrong),
        remedy="correct it there, or remove it",
    )


def places_for(environment: Environment) -> str:
    """Say where a variable may stand."""
    return f"{PROCESS}, .env.{environment} or .env, or as a file of that name in {SECRETS}"


def _missing(environment: Environment, fields: list[FieldInfo], found: tuple[Place, ...]) -> MissingCredential:
    names = [variables(field) for field in fields]
    # The slip that people make who know the SDK.
    plain = any("HH_API_KEY" in place.values for place in found)
    return MissingCredential(
        f"{environment} cannot be reached: there is no key to it"
        + (" (HH_API_KEY is the SDK's own; it is never read here)" if plain else ""),
        expected=", ".join(first + (f" (or {', '.join(others)})" if others else "") for first, *others in names),
        remedy=f"set it in {places_for(environment)}",
    )
