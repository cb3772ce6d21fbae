"""What `--sdk WHAT` names: a line, any single release, a wheel, a folder or a git reference.

A folder and a git reference are built to a wheel first, so that a candidate always is a file with a hash.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import zipfile
import zlib
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from environments import project
from environments.errors import CandidateError, nearest
from environments.matrix import Candidate, Matrix, SdkLine
from environments.venvs import uv

if TYPE_CHECKING:
    from environments.matrix import Release

_GIT = "git+"


def find(what: str, matrix: Matrix) -> SdkLine | Candidate:
    """Return the SDK that `what` names. Raises CandidateError."""
    for line in matrix.lines:
        if what in (line.name, line.version):
            return line
    path = Path(what).expanduser()
    if what.startswith(_GIT) or (what and path.is_dir()):
        with tempfile.TemporaryDirectory(prefix="candidate-") as scratch:
            folder = _fetched(what.removeprefix(_GIT), Path(scratch)) if what.startswith(_GIT) else path
            return _from_wheel(_built(folder, Path(scratch)), _without_credentials(what))
    if path.suffix == ".whl":
        return _from_wheel(path, path.name)
    return _from_release(what, matrix.releases)


def kept(sdk: SdkLine | Candidate) -> str:
    """Return what `--sdk` names this very SDK with again: a release, or the wheel kept under its hash."""
    requirement = "" if isinstance(sdk, SdkLine) else sdk.requirement
    _, at, uri = requirement.partition(" @ ")
    return unquote(urlsplit(uri).path) if at else sdk.version


def _from_release(what: str, releases: tuple[Release, ...]) -> Candidate:
    known = {release.version: release for release in releases}
    try:
        release = known[str(Version(what))]
    except (InvalidVersion, KeyError):
        shown = _without_credentials(what)
        raise CandidateError(
            f"--sdk {shown}: no such release, wheel, folder or git reference{nearest(what, known)}",
            expected="a release (1.0.0), a wheel (dist/honeyhive-….whl), a folder, or git+URL[@REF]",
            remedy="check the spelling; for a release of today run `nox -s releases` first",
        ) from None
    return Candidate(
        origin=f"release {release.version}",
        requirement=f"honeyhive=={release.version}",
        sha256=release.sha256,
        requires_python=release.requires_python,
        version=release.version,
    )


def _from_wheel(wheel: Path, origin: str) -> Candidate:
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        data = wheel.read_bytes()
        with zipfile.ZipFile(wheel) as archive:
            inside = next((entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA")), "METADATA")
            metadata = HeaderParser().parsestr(archive.read(inside).decode(errors="replace"))
    except (InvalidWheelFilename, OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise CandidateError(
            f"--sdk {wheel.name} is no wheel that can be read: {error}", remedy="name a .whl file that exists"
        ) from None
    if name != "honeyhive":
        raise CandidateError(
            f"--sdk {wheel.name} is a wheel of {name}", expected="a wheel of honeyhive", remedy="name one"
        )
    sha256 = hashlib.sha256(data).hexdigest()
    # Kept under its hash: a file that is overwritten while a matrix runs must not change what later cells test.
    kept = project.CANDIDATES / sha256 / wheel.name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(kept)
    return Candidate(origin, f"honeyhive @ {kept.as_uri()}", sha256, metadata.get("Requires-Python", ""), str(version))


def _built(folder: Path, scratch: Path) -> Path:
    print(f"building a wheel of {folder} …", flush=True)
    answer = uv.run("build", "--wheel", "--out-dir", str(scratch / "dist"), str(folder.resolve()))
    wheels = list((scratch / "dist").glob("*.whl"))
    if answer.returncode != 0 or not wheels:
        raise CandidateError(
            f"--sdk {folder} could not be built:\n{answer.stderr.strip()}", remedy="see that `uv build` works there"
        )
    return wheels[0]


def _fetched(reference: str, scratch: Path) -> Path:
    url, ref = _parted(reference)
    print(f"fetching {_without_credentials(url)} …", flush=True)
    _git("clone", "--quiet", url, "source", cwd=scratch)
    if ref:
        _git("checkout", "--quiet", ref, cwd=scratch / "source")
    return scratch / "source"


def _parted(reference: str) -> tuple[str, str]:
    """Part URL@REF. A reference may hold slashes; an @ before the path belongs to the host."""
    begin, _, path = reference.rpartition("://")
    host, slash, path = path.partition("/")
    path, _, ref = path.partition("@")
    return f"{begin}://{host}{slash}{path}" if begin else f"{host}{slash}{path}", ref


def _without_credentials(url: str) -> str:
    # A password may hold an @ itself.
    return re.sub(r"://[^/\s]*@", "://", url)


def _git(*arguments: str, cwd: Path) -> None:
    answer = subprocess.run(
        ["git", *arguments],  # noqa: S607 - git is found where the user's is
        cwd=cwd,
        env={**uv.installer_environment(os.environ), "GIT_TERMINAL_PROMPT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise CandidateError(
            f"--sdk: git {arguments[0]} said {_without_credentials(answer.stderr.strip())}",
            expected="git+URL[@REF]",
            remedy="check the URL and the reference",
        )
