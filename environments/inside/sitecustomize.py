"""Loaded by the interpreter itself, in every Python process of a cell and before any of its code: puts up the fence.

Python would only print a line when this module fails, and go on without it: so it ends the process itself.
"""

import os
import sys

try:
    # First and alone: what else is here may be refused where the fence is not, in a sub-interpreter for example.
    from environments.inside import fence

    fence.put_up()
except BaseException as error:
    sys.stderr.write(f"this process cannot be put behind its cell's fence: {error!r}\n")
    os._exit(97)

from environments.inside import lifeline, stacks

lifeline.follow_from_environment()
stacks.dump_on_signal()
