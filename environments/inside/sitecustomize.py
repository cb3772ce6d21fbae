"""Loaded by the interpreter itself, in every Python process of a cell and before any of its code: puts up the fence.

Python only prints a line when this module fails, and goes on without it: the pytest plugins check that it worked.
"""

from environments.inside import fence, lifeline, stacks

fence.put_up()
lifeline.follow_from_environment()
stacks.dump_on_signal()
