"""The fence: what keeps a cell's processes from reaching anything but its services.

An audit hook, put up by `sitecustomize` before any other code, and impossible to take down: it holds at import time, in
threads, in teardown, at exit and in Python children (a cell's own Python refuses to start without it). It allows exact
host:port pairs, checks names when they are resolved, and refuses to start a child that would be without it. Each breach
raises `FenceBreach` and is logged with the test that caused it: the cell fails by the log, whoever swallowed the
exception.

It keeps mistakes in, not attacks: a program that is no Python (curl), or code that tampers with this very module, is
held by a network namespace alone.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "MATRIX_FENCE"
# What a child must be given to be behind the fence too.
_INHERITED = (VARIABLE, "PYTHONPATH")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Python's options that leave out PYTHONPATH or sitecustomize.
_FENCELESS_OPTIONS = frozenset("IES")


class FenceBreach(PermissionError):
    """Something inside the cell tried to reach what is none of its services."""


@dataclass(frozen=True)
class Fence:
    """The pairs that may be reached, the names that may be resolved, and where breaches are logged."""

    pairs: frozenset[tuple[str, int]]
    names: frozenset[str]
    log: str


_fence: Fence | None = None


def is_up() -> bool:
    """Return whether this process is behind the fence."""
    return _fence is not None


def write(path: Path, pairs: frozenset[tuple[str, int]], log: Path) -> None:
    """Write the file that VARIABLE names to the processes of a cell."""
    path.write_text(json.dumps({"pairs": sorted(pairs), "log": str(log)}), encoding="utf-8")


def put_up() -> None:
    """Put the fence up in this process, as the file that the environment names says."""
    global _fence  # noqa: PLW0603 - one process, one fence: an audit hook is as global as it gets
    with open(os.environ[VARIABLE], encoding="utf-8") as file:  # noqa: PTH123 - not one import more than needed
        written = json.load(file)
    pairs = {(host, port) for host, port in written["pairs"]}
    # A loopback service is reached by any of its names.
    pairs |= {(name, port) for host, port in pairs if host in _LOOPBACK_NAMES for name in _LOOPBACK_NAMES}
    _fence = Fence(frozenset(pairs), frozenset(host for host, _ in pairs) | _LOOPBACK_NAMES, written["log"])
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    check = _CHECKS.get(event)
    if check is not None:
        check(event, arguments)


def _check_address(event: str, arguments: tuple[Any, ...]) -> None:
    address = arguments[1]
    # Not a tuple: a Unix socket, which leaves no machine; or None, for a socket that was checked when it connected.
    if isinstance(address, tuple) and _fence is not None and (_text(address[0]), address[1]) not in _fence.pairs:
        _breach(event, f"{_text(address[0])}:{address[1]}")


def _check_name(event: str, arguments: tuple[Any, ...]) -> None:
    name = _text(arguments[0][0] if isinstance(arguments[0], tuple) else arguments[0])
    # No name: this machine itself.
    if name and _fence is not None and name.lower() not in _fence.names:
        port = arguments[1] if event == "socket.getaddrinfo" else None
        _breach(event, name if port is None else f"{name}:{_text(port)}")


def _check_child(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to start a process that would not be behind the fence."""
    given = arguments[_CHILD_ENVIRONMENT[event]] if event in _CHILD_ENVIRONMENT else None
    environment: dict[str, str] = {_text(k): _text(v) for k, v in dict(os.environ if given is None else given).items()}
    program = _text(arguments[0])
    if any(environment.get(name) != value for name, value in _inherited.items()):
        _breach(event, f"child without the fence's variables ({', '.join(_INHERITED)}): {program}")
    words = _words(arguments[1] if event in _CHILD_ENVIRONMENT else arguments[0])
    # The program itself, or one that `env`, `nice` or a shell is to start.
    for at, word in enumerate([program, *words[1:]]):
        if "python" in os.path.basename(word) and _leaves_fence(words[at + 1 :]):  # noqa: PTH119
            _breach(event, f"child Python that leaves out sitecustomize: {' '.join(words[:5])}")


def _words(command: object) -> list[str]:
    """Return the words of a command; those of a shell's are the words of what it is told."""
    if isinstance(command, (list, tuple)):
        words = [_text(word) for word in command]
        if words[1:2] != ["-c"] or not os.path.basename(words[0]).endswith("sh"):  # noqa: PTH119
            return words
        return [*words[:2], *_words(words[2])] if words[2:] else words
    import shlex

    try:
        return ["sh", "-c", *shlex.split(_text(command))]
    except ValueError:  # a quotation that does not end: the shell will say so
        return ["sh", "-c", *_text(command).split()]


def _leaves_fence(words: list[str]) -> bool:
    """Return whether Python, started with these words, would leave out PYTHONPATH or sitecustomize."""
    following = iter(words)
    for word in following:
        if not word.startswith("-") or word in {"-", "--"}:
            return False  # the program, and what is said to it
        if word.startswith("--"):
            takes_next = word == "--check-hash-based-pycs"
        else:
            # Up to the letter whose argument the rest of the word is.
            letters = "".join(itertools.takewhile(lambda letter: letter not in "cmWX", word[1:]))
            taking = word[len(letters) + 1 :]
            if _FENCELESS_OPTIONS & set(letters):
                return True
            if taking[:1] in {"c", "m"}:
                return False
            takes_next = len(taking) == 1
        if takes_next:
            next(following, None)
    return False


_inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
_CHILD_ENVIRONMENT = {"subprocess.Popen": 3, "os.exec": 2, "os.posix_spawn": 2}
_CHECKS = {
    "socket.connect": _check_address,
    "socket.sendto": _check_address,
    "socket.sendmsg": _check_address,
    "socket.getaddrinfo": _check_name,
    "socket.gethostbyname": _check_name,
    "socket.gethostbyaddr": _check_name,
    "socket.getnameinfo": _check_name,
    "subprocess.Popen": _check_child,
    "os.exec": _check_child,
    "os.posix_spawn": _check_child,
    "os.system": _check_child,
}


def _breach(event: str, what: str) -> None:
    assert _fence is not None  # no check runs before the fence is up
    entry = {
        "at": time.time(),
        "pid": os.getpid(),
        "event": event,
        "what": what,
        # pytest's own variable: children inherit it, threads share it.
        "test": os.environ.get("PYTEST_CURRENT_TEST", "outside any test"),
    }
    # One write to a descriptor opened for appending: lines of several processes don't mix.
    descriptor = os.open(_fence.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (json.dumps(entry) + "\n").encode())
    os.close(descriptor)
    reachable = ", ".join(f"{host}:{port}" for host, port in sorted(_fence.pairs)) or "nothing"
    raise FenceBreach(f"fence: {what} refused ({event}); this cell may reach {reachable}")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value) if value is not None else ""
