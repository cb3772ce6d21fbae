"""Profiles: what each environment is reached with and may be done to, resolved once into frozen values.

`load` is the door: it reads the process environment, `.env.<environment>`, `.env` and `.secrets/`, in that order,
and returns a `Profile` or raises one of the errors under `environments.errors.ProfileError`. No secret reaches text.
"""

from environments.profiles.models import (
    PROFILES,
    Capability,
    Development,
    Limits,
    Production,
    Profile,
    Setting,
    SettingRow,
    Staging,
    load,
    settings_table,
)

__all__ = [
    "PROFILES",
    "Capability",
    "Development",
    "Limits",
    "Production",
    "Profile",
    "Setting",
    "SettingRow",
    "Staging",
    "load",
    "settings_table",
]
