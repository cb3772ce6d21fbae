"""The process that one PYTHON metric runs in: `python -I -S sandbox.py`, a job in JSON on stdin, its outcome on stdout.

Bounded by the operating system in CPU time, memory, wall time and files written; an audit hook refuses the network,
other processes and files outside of Python's own. That keeps a metric from harm by accident and by idle curiosity; it
is no wall against code that means to break out of CPython. Standard library only, and as little of it as will do.
"""

import json
import os
import resource
import signal
import sys

_REFUSED = (
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "ctypes.",
    "signal.",
    "tempfile.",
    "urllib.",
    "http.",
    "ftplib.",
)
_ALLOWED = frozenset({"os.listdir", "os.scandir"})
_FUNCTION_NAMES = ("evaluate", "evaluator", "metric", "main")


def main() -> None:
    """Do the job."""
    job = json.load(sys.stdin)
    # Whatever the metric prints, nobody mistakes for its outcome.
    told = os.dup(1)
    os.dup2(2, 1)
    _limit(job["limits"])
    try:
        text = json.dumps({"value": _value(job["name"], job["code"], job["event"])}, allow_nan=False)
    except MemoryError:
        text = json.dumps({"error": "MemoryError: it needs more memory than it may have"})
    except BaseException as error:  # exit() and KeyboardInterrupt are outcomes like any other
        text = json.dumps({"error": f"{type(error).__name__}: {error}"[:1000]})
    if len(text) > job["limits"]["output_bytes"]:
        text = json.dumps({"error": "ValueError: its result is too large"})
    os.write(told, text.encode())


def _limit(limits: "dict[str, int]") -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"], limits["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["output_bytes"], limits["output_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(limits["wall_s"])  # even if whoever started this process is gone


def _value(name: str, code: str, event: object) -> object:
    compiled = compile(code, f"<metric {name}>", "exec")
    scope: dict[str, object] = {"__name__": "metric", "event": event}
    own = tuple(os.path.realpath(path) + os.sep for path in (sys.prefix, sys.base_prefix))

    def refuse(what: str, arguments: "tuple[object, ...]") -> None:
        if what == "open":
            path, mode = arguments[0], arguments[1]
            reads = (
                isinstance(path, str)
                and os.path.realpath(path).startswith(own)
                and (mode is None or set(str(mode)) <= set("rbt"))
            )
            if not reads and not isinstance(path, int):
                raise PermissionError(f"a metric may not open {path!r}")
        elif what.startswith(_REFUSED) and what not in _ALLOWED:
            raise PermissionError(f"a metric may not do this: {what}")

    sys.addaudithook(refuse)
    exec(compiled, scope)  # noqa: S102 - this is what this process is for
    if "result" in scope:
        return scope["result"]
    functions = [each for each in scope.values() if callable(each) and getattr(each, "__module__", "") == "metric"]
    named = [scope[each] for each in (name, *_FUNCTION_NAMES) if scope.get(each) in functions]
    if not functions:
        raise LookupError("the code defines neither a function of the event nor a variable `result`")
    return (named or functions)[0](event)  # type: ignore[operator]  # callable, as asked above


if __name__ == "__main__":
    main()
