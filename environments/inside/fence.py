"""The fence: what keeps a cell's processes from reaching anything but its services.

An audit hook, put up by `sitecustomize` before any other code, and impossible to take down: it holds at import time, in
threads, in teardown, at exit and in Python children (a cell's own Python refuses to start without it). It allows exact
host:port pairs, checks names when they are resolved, and refuses to start a child that would be without it. Each breach
raises `FenceBreach` and is logged with the test that caused it: the cell fails by the log, whoever swallowed the
exception.

A test that makes a failure with a socket of its own declares it: `declared(listener)` for a loopback port that its
process listens on, `unresolvable(name)` for a name that exists nowhere. Every process of the cell sees it at once, and
sees through it as soon as the socket is closed, even where its process was killed.

It keeps mistakes in, not attacks: a program that is no Python (curl), or code that tampers with this very module, is
held by a network namespace alone.
"""

from __future__ import annotations

import _socket as socket  # it alone is still there when modules are gone
import contextlib
import itertools
import json
import os
import pathlib
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "MATRIX_FENCE"
# What a child must be given to be behind the fence too.
_INHERITED = (VARIABLE, "PYTHONPATH")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_LOOPBACK_ADDRESSES = _LOOPBACK_NAMES - {"localhost"}
# RFC 2606 keeps this domain for names that no resolver may ever find.
_UNRESOLVABLE = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+invalid")
_PROCESSES = pathlib.Path("/proc")
# Python's options that leave out PYTHONPATH or sitecustomize.
_FENCELESS_OPTIONS = frozenset("IES")


class FenceBreach(PermissionError):
    """Something inside the cell tried to reach what is none of its services."""


@dataclass(frozen=True)
class Fence:
    """The pairs that may be reached, the names that may be resolved, where breaches are logged.

    `declared` is the folder of what tests declare, looked at only before a breach.
    """

    pairs: frozenset[tuple[str, int]]
    names: frozenset[str]
    log: str
    declared: str


_fence: Fence | None = None
_numbers = itertools.count()


def is_up() -> bool:
    """Return whether this process is behind the fence."""
    return _fence is not None


def write(path: pathlib.Path, pairs: frozenset[tuple[str, int]], log: pathlib.Path) -> None:
    """Write the file that VARIABLE names to the processes of a cell."""
    declarations = path.with_name("declared")
    declarations.mkdir(exist_ok=True)
    written = {"pairs": sorted(pairs), "log": str(log), "declared": str(declarations)}
    path.write_text(json.dumps(written), encoding="utf-8")


def put_up() -> None:
    """Put the fence up in this process, as the file that the environment names says."""
    global _fence  # noqa: PLW0603 - one process, one fence: an audit hook is as global as it gets
    with open(os.environ[VARIABLE], encoding="utf-8") as file:  # noqa: PTH123 - not one import more than needed
        written = json.load(file)
    pairs = {(host, port) for host, port in written["pairs"]}
    # A loopback service is reached by any of its names.
    pairs |= {(name, port) for host, port in pairs if host in _LOOPBACK_NAMES for name in _LOOPBACK_NAMES}
    names = frozenset(host for host, _ in pairs) | _LOOPBACK_NAMES
    _fence = Fence(frozenset(pairs), names, written["log"], written["declared"])
    sys.addaudithook(_audit)


# ---- What tests declare --------------------------------------------------------------------------------


@contextlib.contextmanager
def declared(listener: socket.socket) -> Iterator[None]:
    """Let the cell reach the loopback port that this socket listens on; it may stop listening meanwhile, to refuse."""
    host, port = listener.getsockname()[:2]
    listens = listener.type == socket.SOCK_STREAM and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if host not in _LOOPBACK_ADDRESSES or not listens:
        raise ValueError(
            f"{host}:{port} cannot be declared to the fence: only a loopback address that this socket listens on can"
        )
    # Who holds the port, and how to see that they still do.
    witness = f"{os.getpid()} {listener.fileno()} {os.fstat(listener.fileno()).st_ino}"
    with _declaration(f"{host}-{port}", witness):
        yield


@contextlib.contextmanager
def unresolvable(name: str) -> Iterator[None]:
    """Let a name under `.invalid` fail to resolve without being a breach. Nobody is asked for it."""
    if not _UNRESOLVABLE.fullmatch(name):
        raise ValueError(f"{name!r} cannot be declared to the fence: only a name that ends in .invalid exists nowhere")
    with _declaration(name, ""):
        yield


@contextlib.contextmanager
def _declaration(entry: str, text: str) -> Iterator[None]:
    if _fence is None:  # outside of a cell everything may be reached
        yield
        return
    # Named after its process too: several may declare the same name.
    path = pathlib.Path(_fence.declared, f"{entry}={os.getpid()}-{next(_numbers)}")
    begun = path.with_name("begun-" + path.name)
    begun.write_text(text, encoding="utf-8")
    begun.replace(path)  # whole, or not there
    try:
        yield
    finally:
        path.unlink()


def _declarations(entry: str) -> Iterator[str]:
    """Return what was written to declare this."""
    assert _fence is not None  # no check runs before the fence is up
    for path in pathlib.Path(_fence.declared).glob(f"{entry}=*"):
        with contextlib.suppress(FileNotFoundError):  # withdrawn since it was listed
            yield path.read_text(encoding="utf-8")


def _is_declared(reaching: socket.socket, host: str, port: object) -> bool:
    # A datagram's port is another port of the same number.
    may_be = host in _LOOPBACK_ADDRESSES and reaching.type == socket.SOCK_STREAM
    return may_be and any(_is_held(witness) for witness in _declarations(f"{host}-{port}"))


def _is_held(witness: str) -> bool:
    pid, descriptor, inode = witness.split()
    try:
        if _PROCESSES.is_dir():
            return str((_PROCESSES / pid / "fd" / descriptor).readlink()) == f"socket:[{inode}]"
        os.kill(int(pid), 0)  # where no process sees another's sockets, it sees whether it lives
    except OSError:
        return False
    return True


# ---- The checks ----------------------------------------------------------------------------------------


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    check = _CHECKS.get(event)
    if check is not None:
        check(event, arguments)


def _check_address(event: str, arguments: tuple[Any, ...]) -> None:
    address = arguments[1]
    # Not a tuple: a Unix socket, which leaves no machine; or None, for a socket that was checked when it connected.
    if not isinstance(address, tuple) or _fence is None:
        return
    host, port = _text(address[0]), address[1]
    if (host, port) not in _fence.pairs and not _is_declared(arguments[0], host, port):
        _breach(event, f"{host}:{port}")


def _check_name(event: str, arguments: tuple[Any, ...]) -> None:
    name = _text(arguments[0][0] if isinstance(arguments[0], tuple) else arguments[0])
    # No name: this machine itself.
    if name and _fence is not None and name.lower() not in _fence.names:
        if _UNRESOLVABLE.fullmatch(name.lower()) and list(_declarations(name.lower())):
            _say_unknown()
        port = arguments[1] if event == "socket.getaddrinfo" else None
        _breach(event, name if port is None else f"{name}:{_text(port)}")


def _say_unknown() -> NoReturn:
    """Fail as a resolver fails that does not know the name. From here: none is asked, no packet leaves."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


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
