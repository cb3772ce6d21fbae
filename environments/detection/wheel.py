"""Wheels of the SDK: one that holds what is installed, and the same with one file changed."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from environments.errors import InstallFailed, MutationError, nearest
from environments.matrix import SdkLine
from environments.venvs import uv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from environments.matrix import Candidate
    from environments.venvs.interpreters import Interpreter

_PACKAGE = "honeyhive/"
# Written by the installer that unpacked the wheel, or anew for each one that is packed.
_OF_THE_INSTALLER = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_build.json", "uv_cache.json"})
# The same files make the same wheel, and the same wheel finds its venv again.
_PACKED_AT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Contents:
    """The files of a wheel, by path, without its RECORD."""

    version: str
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        return f"honeyhive-{self.version}-py3-none-any.whl"

    def changed(self, file: str, change: Callable[[str], str]) -> Contents:
        """Return the contents with one module of the package changed. Raises MutationError."""
        path = _PACKAGE + file
        if path not in self.files:
            modules = [name.removeprefix(_PACKAGE) for name in self.files if name.startswith(_PACKAGE)]
            raise MutationError(
                f"honeyhive {self.version} has no {file}{nearest(file, modules)}",
                remedy="correct environments/detection/mutations.toml, or the releases that the mutation applies to",
            )
        changed = change(self.files[path].decode("utf-8"))
        return replace(self, files={**self.files, path: changed.encode("utf-8")})

    def pack(self, folder: Path) -> Path:
        """Write the wheel."""
        (info,) = {name.partition("/")[0] for name in self.files if name.partition("/")[0].endswith(".dist-info")}
        record = f"{info}/RECORD"
        rows = [f"{name},{_digest(data)},{len(data)}" for name, data in sorted(self.files.items())]
        listed = "\n".join((*rows, f"{record},,", "")).encode()
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / self.name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in (*sorted(self.files.items()), (record, listed)):
                archive.writestr(zipfile.ZipInfo(name, _PACKED_AT), data)
        return folder / self.name


def installed(sdk: SdkLine | Candidate, interpreter: Interpreter) -> Contents:
    """Install the SDK alone, into a folder, and return what it consists of. Raises InstallFailed."""
    with tempfile.TemporaryDirectory(prefix="detection-") as scratch:
        folder, requirements = Path(scratch) / "sdk", Path(scratch) / "requirements.txt"
        pinned = isinstance(sdk, SdkLine)
        requirements.write_text(_requirement(sdk), encoding="utf-8")
        answer = uv.run(
            *("pip", "install", "--target", str(folder), "--python", interpreter.path, "--no-deps"),
            *(("--require-hashes",) if pinned else ()),
            *("-r", str(requirements)),
        )
        if answer.returncode != 0:
            raise InstallFailed(
                f"honeyhive {sdk.version} could not be installed:\n{answer.stderr.strip()}",
                remedy="check the network and the disk, then run the same command again",
            )
        return read(folder, sdk.version)


def read(folder: Path, version: str) -> Contents:
    """Return what an installer unpacked of a wheel."""
    info = f"honeyhive-{version}.dist-info"
    paths = [path for top in (_PACKAGE, info) for path in (folder / top).rglob("*") if path.is_file()]
    return Contents(
        version,
        {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in paths
            if path.suffix != ".pyc" and not (path.parent.name == info and path.name in _OF_THE_INSTALLER)
        },
    )


def _requirement(sdk: SdkLine | Candidate) -> str:
    if isinstance(sdk, SdkLine):
        return f"honeyhive=={sdk.version} --hash=sha256:{sdk.release.sha256}\n"
    return f"{sdk.requirement}\n"


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
