from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside


@pytest.fixture
def cell(inside: Inside) -> Inside:
    """Lay out a cell that tests honeyhive 1.2.0 against an environment that can delete."""
    inside.aim(capabilities=("delete",))
    inside.install_sdk("1.2.0")
    return inside


def _setup_outcomes(cell: Inside) -> dict[str, tuple[str, str]]:
    found = [entry for entry in cell.entries("phase") if entry["when"] == "setup"]
    return {entry["test"].rpartition("::")[2]: (entry["outcome"], entry["reason"]) for entry in found}


def test_a_test_runs_where_its_specifiers_and_needs_hold(cell: Inside) -> None:
    cell.pytest(
        """
        import pytest

        pytestmark = pytest.mark.sdk(">=1.0")

        @pytest.mark.sdk(">=1.2")
        def test_of_this_line(): pass
        @pytest.mark.sdk(">=1.3")
        def test_of_a_newer_line(): pass
        @pytest.mark.sdk(">=1.2")
        @pytest.mark.sdk("!=1.2.0")
        def test_of_all_but_this(): pass
        @pytest.mark.needs("delete")
        def test_that_deletes(): pass
        @pytest.mark.needs("second-project")
        def test_of_two_projects(): pass
        """
    )

    assert _setup_outcomes(cell) == {
        "test_of_this_line": ("passed", ""),
        "test_of_a_newer_line": ("not-applicable", "needs honeyhive >=1.3, this cell tests 1.2.0"),
        "test_of_all_but_this": ("not-applicable", "needs honeyhive !=1.2.0, this cell tests 1.2.0"),
        "test_that_deletes": ("passed", ""),
        "test_of_two_projects": ("not-applicable", "needs second-project, which development does not have"),
    }


def test_a_prerelease_is_one_of_the_releases_of_a_specifier(inside: Inside) -> None:
    inside.aim()
    inside.install_sdk("1.3.0rc1")

    inside.pytest("import pytest\n@pytest.mark.sdk('>=1.2')\ndef test_one(): pass")

    assert _setup_outcomes(inside) == {"test_one": ("passed", "")}


def test_a_wrong_marker_is_an_error_that_says_what_to_write(cell: Inside) -> None:
    cell.pytest(
        """
        import pytest

        @pytest.mark.sdk("1.3 or newer")
        def test_words(): pass
        @pytest.mark.sdk
        def test_nothing(): pass
        @pytest.mark.sdk(1.3)
        def test_number(): pass
        @pytest.mark.needs
        def test_needs_nothing(): pass
        """
    )

    says = 'is no version specifier; write @pytest.mark.sdk(">=1.3")'
    found = _setup_outcomes(cell)
    assert {outcome for outcome, _ in found.values()} == {"error"}
    assert f"test_it.py::test_words: sdk('1.3 or newer',) {says}" in found["test_words"][1]
    assert f"test_it.py::test_nothing: sdk() {says}" in found["test_nothing"][1]
    assert f"test_it.py::test_number: sdk(1.3,) {says}" in found["test_number"][1]
    assert (
        'test_it.py::test_needs_nothing: needs() names no capability; write @pytest.mark.needs("…")'
        in (found["test_needs_nothing"][1])
    )


def test_a_misspelt_marker_is_an_error_of_collection(cell: Inside) -> None:
    ended = cell.pytest("import pytest\n@pytest.mark.need('delete')\ndef test_one(): pass")

    assert "'need' not found in `markers` configuration option" in ended.text
