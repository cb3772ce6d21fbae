from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from environments.declaration import parse
from environments.errors import UnknownCell, UsageError
from environments.matrix import Candidate, Environment, Matrix, Release, lines_of, why_excluded
from tests.unit.declared import RELEASES, matrix, release, table

CANDIDATE = Candidate("release 1.0.0", "honeyhive==1.0.0", "ab" * 32, ">=3.11", "1.0.0")


# ---- Names and tags ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("integration-3.12-development", ("development", "py3.12", "sdk1.2", "newest", "pr", "all")),
        ("integration-3.11-development-sdk1.0", ("development", "py3.11", "sdk1.0", "oldest", "pr", "all")),
        ("integration-3.11-development-sdk1.1", ("development", "py3.11", "sdk1.1", "all")),
        ("integration-3.13-production", ("production", "py3.13", "sdk1.2", "newest", "all")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cell_is_named_and_tagged_after_its_point(name: str, tags: tuple[str, ...]) -> None:
    assert matrix().find_cell(name).tags == tags


def test_a_cell_says_what_it_tests_in_words() -> None:
    assert (
        matrix().find_cell("integration-3.12-staging-sdk1.0").title == "honeyhive 1.0.2 on Python 3.12 against staging"
    )


def test_an_identity_is_the_point_and_not_the_name() -> None:
    before = matrix().find_cell("integration-3.12-staging")
    after = matrix(*map(release, (*RELEASES, "1.3.0"))).find_cell("integration-3.12-staging-sdk1.2")

    assert before.identity == after.identity == ("3.12", "1.2", "staging", "highest")


def test_a_candidate_is_known_by_its_hash() -> None:
    cell = matrix().cell("3.12", CANDIDATE, Environment.STAGING)

    assert cell.name == "integration-3.12-staging-candidate"
    assert cell.identity == ("3.12", f"sha256:{'ab' * 32}", "staging", "highest")


def test_a_candidate_belongs_to_every_set_of_its_python_and_environment() -> None:
    declared = matrix(sets={"old": {"sdk": "oldest"}, "late": {"python": ">=3.13"}})

    assert declared.cell("3.12", CANDIDATE, Environment.STAGING).tags == ("staging", "py3.12", "candidate", "old")


def test_a_tag_stands_once_where_a_set_has_the_name_of_an_environment() -> None:
    cell = matrix(sets={"development": {}}).find_cell("integration-3.12-development")

    assert cell.tags.count("development") == 1


# ---- Lines ---------------------------------------------------------------------------------------------


def _lines(*releases: Release, oldest: str = "1.0") -> list[tuple[str, str]]:
    return [(line.name, line.version) for line in lines_of(releases, oldest)]


def test_a_line_is_pinned_to_its_newest_release() -> None:
    assert _lines(*map(release, ("1.0.9", "1.0.10", "1.1.0"))) == [("1.0", "1.0.10"), ("1.1", "1.1.0")]


def test_lines_older_than_the_oldest_are_left_out() -> None:
    assert _lines(*map(release, RELEASES), oldest="1.1") == [("1.1", "1.1.0"), ("1.2", "1.2.1")]


@pytest.mark.parametrize("prerelease", ["1.3.0rc1", "1.3.0.dev4", "1.2.2a1"])
def test_the_newest_prerelease_is_a_line_where_it_is_newer_than_all(prerelease: str) -> None:
    declared = matrix(*map(release, (*RELEASES, prerelease)))

    assert declared.lines[-1].name == declared.lines[-1].version == prerelease
    assert declared.newest.name == "1.2"
    assert declared.find_cell(f"integration-3.12-development-sdk{prerelease}").sdk.version == prerelease


@pytest.mark.parametrize("prerelease", ["1.2.1rc1", "1.1.5a1"])
def test_a_prerelease_that_a_release_has_overtaken_is_no_line(prerelease: str) -> None:
    assert prerelease not in [name for name, _ in _lines(*map(release, (*RELEASES, prerelease)))]


def test_only_the_newest_of_several_prereleases_is_a_line() -> None:
    assert _lines(*map(release, ("1.0.0", "1.1.0a1", "1.1.0rc2"))) == [("1.0", "1.0.0"), ("1.1.0rc2", "1.1.0rc2")]


def test_a_yanked_release_gives_way_to_the_one_before() -> None:
    assert _lines(release("1.0.0"), release("1.0.1", yanked=True)) == [("1.0", "1.0.0")]


def test_a_minor_series_that_was_yanked_altogether_is_no_line() -> None:
    assert _lines(release("1.0.0"), release("1.1.0", yanked=True)) == [("1.0", "1.0.0")]


# ---- Exclusions ----------------------------------------------------------------------------------------


def test_an_excluded_cell_is_told_with_its_reason() -> None:
    declared = matrix(release("1.0.0"), release("1.1.0", requires_python=">=3.12"))
    plan = declared.plan()

    assert [(out.name, out.reason) for out in plan.exclusions] == [
        (f"integration-3.11-{environment}", "honeyhive 1.1.0 requires Python >=3.12")
        for environment in ("development", "staging", "production")
    ]
    assert "integration-3.11-development-sdk1.0" in [cell.name for cell in plan.cells]


@pytest.mark.parametrize(
    ("python", "requires", "excluded"),
    [
        ("3.11", ">=3.11", False),
        ("3.11", ">=3.11.4", False),
        ("3.11", "<3.11.4", False),
        ("3.11", ">=3.12", True),
        ("3.11", "<3.11", True),
        ("3.15", ">=3.11,<3.15", True),
        ("3.15", "", False),
    ],
)
def test_a_line_runs_on_a_python_of_which_it_allows_some_patch_release(
    python: str, requires: str, *, excluded: bool
) -> None:
    assert (why_excluded(python, requires, "it") is not None) is excluded


def test_the_plan_of_a_set_names_only_its_own_exclusions() -> None:
    declared = matrix(release("1.0.0", requires_python=">=3.12"), sets={"one": {"environment": "staging"}})

    assert [out.name for out in declared.plan("one").exclusions] == ["integration-3.11-staging"]


# ---- Sets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "pythons", "sdks"),
    [
        ({}, {"3.11", "3.12", "3.13"}, {"1.0", "1.1", "1.2"}),
        ({"python": ">=3.12"}, {"3.12", "3.13"}, {"1.0", "1.1", "1.2"}),
        ({"python": ">=3.11,<3.13"}, {"3.11", "3.12"}, {"1.0", "1.1", "1.2"}),
        ({"python": "newest", "sdk": "oldest"}, {"3.13"}, {"1.0"}),
        ({"python": ["oldest", "3.12"], "sdk": "1.1"}, {"3.11", "3.12"}, {"1.1"}),
        ({"python": ["oldest", ">3.12"], "sdk": ["newest", "==1.0.2"]}, {"3.11", "3.13"}, {"1.2", "1.0"}),
        ({"sdk": ">=1.1"}, {"3.11", "3.12", "3.13"}, {"1.1", "1.2"}),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_a_set_chooses_by_word_and_specifier(choice: dict[str, Any], pythons: set[str], sdks: set[str]) -> None:
    (chosen,) = matrix(sets={"it": choice}).sets

    assert (set(chosen.pythons), set(chosen.sdks)) == (pythons, sdks)


def test_newest_in_a_set_is_the_newest_release_and_no_prerelease() -> None:
    (chosen,) = matrix(*map(release, (*RELEASES, "1.3.0rc1")), sets={"it": {"sdk": "newest"}}).sets

    assert chosen.sdks == {"1.2"}


def test_a_set_of_everything_from_a_line_on_takes_the_prerelease_too() -> None:
    (chosen,) = matrix(*map(release, (*RELEASES, "1.3.0rc1")), sets={"it": {"sdk": ">=1.2"}}).sets

    assert chosen.sdks == {"1.2", "1.3.0rc1"}


def test_the_plan_of_a_set_is_what_it_chooses_of_the_whole() -> None:
    declared = matrix()

    assert set(declared.plan("pr").cells) == {cell for cell in declared.plan().cells if "pr" in cell.tags}
    assert len(declared.plan("pr").cells) == 6


# ---- Errors --------------------------------------------------------------------------------------------


def test_an_unknown_cell_names_the_nearest() -> None:
    with pytest.raises(UnknownCell) as refused:
        matrix().find_cell("integration-3.12-stagin")

    assert refused.value.happened == (
        "there is no cell 'integration-3.12-stagin' (did you mean 'integration-3.12-staging'?)"
    )
    assert refused.value.expected == "integration-<python>-<environment>[-sdk<line>]"


def test_an_excluded_cell_is_refused_with_its_reason() -> None:
    declared = matrix(release("1.0.0", requires_python=">=3.12"))

    with pytest.raises(UnknownCell) as refused:
        declared.find_cell("integration-3.11-staging")

    assert refused.value.happened == "integration-3.11-staging is excluded: honeyhive 1.0.0 requires Python >=3.12"


def test_an_unknown_set_names_the_nearest_and_all() -> None:
    with pytest.raises(UsageError) as refused:
        matrix().find_set("prs")

    assert refused.value.happened == "there is no set 'prs' (did you mean 'pr'?)"
    assert refused.value.expected == "one of pr, all"


# ---- For every matrix ----------------------------------------------------------------------------------

_MINORS = [f"3.{minor}" for minor in range(9, 17)]
_VERSIONS = st.builds(
    lambda minor, patch, suffix: str(Version(f"1.{minor}.{patch}{suffix}")),
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from(["", "", "", "rc1", "a2", ".dev1", ".post1"]),
)
_RELEASES = st.lists(
    st.builds(
        lambda version, requires, yanked: dataclasses.replace(
            release(version), requires_python=requires, yanked=yanked
        ),
        _VERSIONS,
        st.sampled_from([">=3.11", ">=3.12", ">=3.11.5,<3.14", "", "!=3.13.*"]),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda found: found.version,
)
_CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "python": st.sampled_from(["newest", "oldest", ">=3.8", ["oldest", "newest"]]),
        "sdk": st.sampled_from(["newest", "oldest", ">=1.0", ["oldest", ">=1.0"]]),
        "environment": st.lists(st.sampled_from([e.value for e in Environment]), min_size=1, unique=True),
    },
)
_MATRICES = st.builds(
    lambda pythons, environments, sets, releases: parse(
        table(pythons=pythons, environments=environments, sets=sets), [release("1.0.0"), *releases]
    ),
    st.lists(st.sampled_from(_MINORS), min_size=1, unique=True),
    st.lists(st.sampled_from([e.value for e in Environment]), min_size=1, unique=True),
    st.dictionaries(st.sampled_from(["pr", "nightly", "release"]), _CHOICES),
    _RELEASES.map(lambda found: [one for one in found if one.version != "1.0.0"]),
)
_every_matrix = given(_MATRICES)
_modest = settings(deadline=None, max_examples=40)


@_modest
@_every_matrix
def test_names_are_unique_and_lead_back_to_their_cells(declared: Matrix) -> None:
    plan = declared.plan()
    names = [*(cell.name for cell in plan.cells), *(out.name for out in plan.exclusions)]

    assert len(names) == len(set(names))
    assert all(declared.find_cell(cell.name) == cell for cell in plan.cells)


@_modest
@_every_matrix
def test_cells_and_exclusions_are_all_points(declared: Matrix) -> None:
    plan = declared.plan()

    points = len(declared.pythons) * len(declared.lines) * len(declared.environments)
    assert len(plan.cells) + len(plan.exclusions) == points


@_modest
@_every_matrix
def test_a_set_never_holds_a_cell_outside_of_its_axes(declared: Matrix) -> None:
    for chosen in declared.sets:
        for cell in declared.plan(chosen.name).cells:
            assert cell.python in chosen.pythons
            assert cell.sdk.identity in chosen.sdks
            assert cell.environment in chosen.environments


@_modest
@_every_matrix
def test_lines_are_sorted_and_at_most_the_last_is_a_prerelease(declared: Matrix) -> None:
    versions = [Version(line.version) for line in declared.lines]

    assert versions == sorted(versions)
    assert not any(version.is_prerelease for version in versions[:-1])
    assert not any(line.release.yanked for line in declared.lines)


@_modest
@_every_matrix
def test_no_cell_runs_on_a_python_that_its_release_forbids(declared: Matrix) -> None:
    for cell in declared.plan().cells:
        assert not isinstance(cell.sdk, Candidate)
        allowed = SpecifierSet(cell.sdk.release.requires_python)
        assert any(allowed.contains(f"{cell.python}.{patch}") for patch in range(1000))
