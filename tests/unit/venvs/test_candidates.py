from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.errors import CandidateError
from environments.matrix import Candidate, SdkLine
from environments.venvs import candidates
from tests.unit.declared import matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MATRIX = matrix()

# A build backend without requirements: no index is asked.
BACKEND = '''
import pathlib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Write the wheel of this tree."""
    version = pathlib.Path("VERSION").read_text().strip()
    name = f"honeyhive-{version}-py3-none-any.whl"
    info = f"honeyhive-{version}.dist-info"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: honeyhive\\nVersion: {version}\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
'''


@pytest.fixture
def find() -> Iterator[Callable[[str], Candidate]]:
    """Find candidates, and let go of the wheels that were kept of them."""
    found: list[Candidate] = []

    def find(what: str) -> Candidate:
        candidate = candidates.find(what, MATRIX)
        assert isinstance(candidate, Candidate)
        found.append(candidate)
        return candidate

    yield find
    for candidate in found:
        shutil.rmtree(project.CANDIDATES / candidate.sha256, ignore_errors=True)


def _wheel(folder: Path, file: str = "honeyhive-9.9.9-py3-none-any.whl", metadata: str = "") -> Path:
    path = folder / file
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "honeyhive-9.9.9.dist-info/METADATA",
            metadata or "Metadata-Version: 2.1\nName: honeyhive\nVersion: 9.9.9\nRequires-Python: >=3.12\n",
        )
    return path


def _project(folder: Path, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "VERSION").write_text(version)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "honeyhive"\nversion = "{version}"\n'
    )
    return folder


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository with 9.1.0 tagged, 9.2.0 on the branch `feature/slash`, and 9.3.0 on the main branch."""
    folder = _project(tmp_path_factory.mktemp("git") / "sdk", "9.1.0")
    _git(folder, "init")
    for version, then in (("9.1.0", ("tag", "v9.1.0")), ("9.2.0", ("branch", "feature/slash")), ("9.3.0", ())):
        _project(folder, version)
        _git(folder, "add", ".")
        _git(folder, "commit", "-m", version)
        if then:
            _git(folder, *then)
    return folder


# ---- Releases ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["1.0", "1.0.2"])
def test_a_line_goes_by_its_name_and_its_version(what: str) -> None:
    found = candidates.find(what, MATRIX)

    assert isinstance(found, SdkLine)
    assert (found.name, found.version) == ("1.0", "1.0.2")


@pytest.mark.parametrize("what", ["1.0.0", "v1.0.0", " 1.0.0 "])
def test_any_single_release_is_a_candidate(find: Callable[[str], Candidate], what: str) -> None:
    found = find(what)

    assert (found.origin, found.requirement, found.version) == ("release 1.0.0", "honeyhive==1.0.0", "1.0.0")
    assert found.sha256 == hashlib.sha256(b"1.0.0").hexdigest()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("1.2.2", "--sdk 1.2.2: no such release, wheel, folder or git reference (did you mean '1.2.1'?)"),
        ("./no/such/folder", "--sdk ./no/such/folder: no such release, wheel, folder or git reference"),
        (
            "https://user:hh_canary@example.org/sdk.git",
            "--sdk https://example.org/sdk.git: no such release, wheel, folder or git reference",
        ),
    ],
)
def test_what_is_nothing_of_all_this_names_the_nearest_release(what: str, told: str) -> None:
    with pytest.raises(CandidateError) as refused:
        candidates.find(what, MATRIX)

    assert refused.value.happened == told


# ---- Wheels --------------------------------------------------------------------------------------------


def test_a_wheel_is_kept_under_its_hash(find: Callable[[str], Candidate], tmp_path: Path) -> None:
    wheel = _wheel(tmp_path)
    data = wheel.read_bytes()

    found = find(str(wheel))

    assert (found.version, found.requires_python, found.origin) == ("9.9.9", ">=3.12", wheel.name)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    kept = project.CANDIDATES / found.sha256 / wheel.name
    assert found.requirement == f"honeyhive @ {kept.as_uri()}"
    wheel.write_bytes(b"something else")
    assert kept.read_bytes() == data


def test_a_wheel_that_says_nothing_of_pythons_runs_on_all(find: Callable[[str], Candidate], tmp_path: Path) -> None:
    assert find(str(_wheel(tmp_path, metadata="Name: honeyhive\n"))).requires_python == ""


def test_what_was_kept_is_found_again_as_the_same(find: Callable[[str], Candidate], tmp_path: Path) -> None:
    first = find(str(_wheel(tmp_path)))
    again = find(candidates.kept(first))

    assert (again.sha256, again.requirement) == (first.sha256, first.requirement)
    assert candidates.find(candidates.kept(MATRIX.newest), MATRIX) == MATRIX.newest
    assert candidates.kept(find("1.0.0")) == "1.0.0"


def test_a_wheel_of_another_project_is_refused(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path, "beehive-1.0-py3-none-any.whl")

    with pytest.raises(CandidateError, match="is a wheel of beehive"):
        candidates.find(str(wheel), MATRIX)


BROKEN = {
    "no zip": ("honeyhive-9.9.9-py3-none-any.whl", b"PK but no zip", "File is not a zip file"),
    "empty": ("honeyhive-9.9.9-py3-none-any.whl", b"", "File is not a zip file"),
    "no metadata": ("honeyhive-9.9.9-py3-none-any.whl", b"PK\x05\x06" + bytes(18), "There is no item named 'METADATA'"),
    "no name": ("sdk.whl", b"", "Invalid wheel filename"),
    "not there": ("honeyhive-9.9.8-py3-none-any.whl", None, "No such file"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_wheel_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, how: str) -> None:
    name, data, reason = BROKEN[how]
    if data is not None:
        (tmp_path / name).write_bytes(data)

    with pytest.raises(CandidateError) as refused:
        candidates.find(str(tmp_path / name), MATRIX)

    assert refused.value.happened.startswith(f"--sdk {name} is no wheel that can be read: ")
    assert reason in refused.value.happened


# ---- Folders and git -----------------------------------------------------------------------------------


def test_a_folder_is_built_to_a_wheel(find: Callable[[str], Candidate], tmp_path: Path) -> None:
    folder = _project(tmp_path / "sdk", "9.4.0")

    found = find(str(folder))

    assert (found.version, found.origin) == ("9.4.0", str(folder))
    assert "honeyhive-9.4.0-py3-none-any.whl" in found.requirement


def test_a_folder_that_cannot_be_built_is_refused_with_the_builder_s_words(tmp_path: Path) -> None:
    folder = _project(tmp_path / "sdk", "9.4.0")
    (folder / "backend.py").write_text("raise SystemExit('the backend is out')")

    with pytest.raises(CandidateError, match="could not be built:") as refused:
        candidates.find(str(folder), MATRIX)

    assert "the backend is out" in refused.value.happened


@pytest.mark.parametrize(
    ("reference", "version"),
    [("", "9.3.0"), ("@v9.1.0", "9.1.0"), ("@feature/slash", "9.2.0")],
    ids=["main", "tag", "branch"],
)
def test_a_git_reference_is_fetched_and_built(
    find: Callable[[str], Candidate], repository: Path, reference: str, version: str
) -> None:
    what = f"git+{repository.as_uri()}{reference}"

    found = find(what)

    assert (found.version, found.origin) == (version, what)


def test_a_git_reference_that_does_not_exist_is_refused(repository: Path) -> None:
    with pytest.raises(CandidateError, match=r"--sdk: git checkout said .*v0"):
        candidates.find(f"git+{repository.as_uri()}@v0", MATRIX)


@pytest.mark.parametrize("password", ["hh_canary", "hh@canary"])
def test_credentials_in_a_git_url_are_never_shown(capsys: pytest.CaptureFixture[str], password: str) -> None:
    with pytest.raises(CandidateError) as refused:
        candidates.find(f"git+http://user:{password}@127.0.0.1:9/sdk.git@v1", MATRIX)

    told = "".join(capsys.readouterr()) + str(refused.value)
    assert "http://127.0.0.1:9/sdk.git" in told
    assert "canary" not in told
    assert "user" not in told


@pytest.mark.parametrize(
    ("reference", "url", "ref"),
    [
        ("https://host/sdk.git", "https://host/sdk.git", ""),
        ("https://host/sdk.git@v1", "https://host/sdk.git", "v1"),
        ("https://host/sdk.git@release/1.8", "https://host/sdk.git", "release/1.8"),
        ("ssh://git@host/sdk.git", "ssh://git@host/sdk.git", ""),
        ("ssh://git@host/sdk.git@main", "ssh://git@host/sdk.git", "main"),
        ("https://user:a@b@host/sdk@v1", "https://user:a@b@host/sdk", "v1"),
        ("file:///srv/sdk@v1", "file:///srv/sdk", "v1"),
        ("/srv/sdk@v1", "/srv/sdk", "v1"),
    ],
)
def test_the_reference_stands_behind_the_path(reference: str, url: str, ref: str) -> None:
    assert candidates._parted(reference) == (url, ref)
