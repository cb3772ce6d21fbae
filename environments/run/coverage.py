"""What of the SDK the tests reach: `nox -s coverage` runs this.

The development cells of the newest line, each with coverage, and their reports merged.
"""

from __future__ import annotations

import json
import sys

from environments.errors import UNKNOWN, exit_on_error
from environments.results import coverage
from environments.run import many

_SET = "coverage"


@exit_on_error
def main() -> int:
    """Run the cells, print what no test reaches, and write it beside their records; 3 where no cell has a report."""
    arguments = ["--set", _SET, "--here", *sys.argv[1:], *([] if "--" in sys.argv else ["--"])]
    run, code = many.run_cells([*arguments, "--cov=honeyhive", "--cov-report=json"])
    found = [run.folder / cell.name / coverage.REPORT for cell in run.cells]
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in found if file.exists()]
    if not reports:
        print("no cell has left a report of its coverage: see their records")
        return code or UNKNOWN
    lines = coverage.told(coverage.merged(reports))
    (run.folder / "coverage.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(["", f"coverage of {len(reports)} of {len(run.cells)} cells:", *lines]))
    return code


if __name__ == "__main__":
    sys.exit(main())
