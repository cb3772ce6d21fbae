from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from environments.inside import fence
from tests.unit.inside.running import lines

if TYPE_CHECKING:
    import socket

    from tests.unit.inside.running import Inside

# What a child is told: the port that it may reach, and one that it may not.
PROLOGUE = """
import os, socket, subprocess, sys, threading
allowed, other = int(sys.argv[1]), int(sys.argv[2])
"""


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _nobody_called(listening: socket.socket) -> bool:
    try:
        listening.accept()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_service_is_reached(inside: Inside, service: socket.socket, host: str) -> None:
    ended = inside.python(f"{PROLOGUE}socket.create_connection(({host!r}, allowed)).close()", _port(service), 0)

    assert ended.status == 0, ended
    assert inside.breaches() == []


@pytest.mark.parametrize("spelling", ["127.0.0.1", "localhost", "::1"])
@pytest.mark.parametrize("written", ["127.0.0.1", "localhost", "::1"])
def test_a_loopback_service_goes_by_any_of_its_names(inside: Inside, written: str, spelling: str) -> None:
    fence.write(inside.folder / "fence.json", frozenset({(written, 9)}), inside.folder / "breaches.jsonl")

    family = "AF_INET6" if ":" in spelling else "AF_INET"
    inside.python(f"import socket; socket.socket(socket.{family}).connect_ex(({spelling!r}, 9))")

    assert inside.breaches() == []


REACHES = {
    "another port": ('socket.create_connection(("127.0.0.1", other))', "socket.connect", "127.0.0.1:{other}"),
    "another port by name": ('socket.create_connection(("localhost", other))', "socket.connect", "127.0.0.1:{other}"),
    "another port without an exception": (
        'socket.socket().connect_ex(("127.0.0.1", other))',
        "socket.connect",
        "127.0.0.1:{other}",
    ),
    "another host": ('socket.socket().connect(("192.0.2.1", allowed))', "socket.connect", "192.0.2.1:{allowed}"),
    "all addresses": ('socket.socket().connect(("0.0.0.0", other))', "socket.connect", "0.0.0.0:{other}"),
    "a datagram": (
        'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", other))',
        "socket.sendto",
        "127.0.0.1:{other}",
    ),
    "a message": (
        'socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", other))',
        "socket.sendmsg",
        "127.0.0.1:{other}",
    ),
    "a name": ('socket.getaddrinfo("example.org", 443)', "socket.getaddrinfo", "example.org:443"),
    "a name in bytes": ('socket.getaddrinfo(b"example.org", 443)', "socket.getaddrinfo", "example.org:443"),
    "a name, the old way": ('socket.gethostbyname("example.org")', "socket.gethostbyname", "example.org"),
    "a name, the longer old way": ('socket.gethostbyname_ex("example.org")', "socket.gethostbyname", "example.org"),
    "the name of an address": ('socket.gethostbyaddr("192.0.2.1")', "socket.gethostbyaddr", "192.0.2.1"),
    "the name of a pair": ('socket.getnameinfo(("192.0.2.1", 80), 0)', "socket.getnameinfo", "192.0.2.1"),
    "urllib": (
        'import urllib.request; urllib.request.urlopen(f"http://127.0.0.1:{other}/")',
        "socket.connect",
        "127.0.0.1:{other}",
    ),
    "asyncio": (
        'import asyncio; asyncio.run(asyncio.open_connection("127.0.0.1", other))',
        "socket.connect",
        "127.0.0.1:{other}",
    ),
}


@pytest.mark.parametrize("name", REACHES)
def test_whatever_else_is_refused(inside: Inside, service: socket.socket, stranger: socket.socket, name: str) -> None:
    code, event, what = REACHES[name]
    ports = {"allowed": _port(service), "other": _port(stranger)}

    inside.python(PROLOGUE + code, *ports.values())

    assert inside.breaches() == [(event, what.format(**ports))]
    assert _nobody_called(stranger)


WHEREABOUTS = {
    "in a thread": "t = threading.Thread(target=reach); t.start(); t.join()",
    "at exit": "import atexit; atexit.register(reach)",
    "in a finaliser, when modules are gone": (
        "class Last:\n"
        "    def __del__(self, socket=socket.socket, other=other): socket().connect(('127.0.0.1', other))\n"
        "kept = Last()"
    ),
    "where the exception is swallowed": "try:\n    reach()\nexcept OSError:\n    pass",
    "in a fork": "pid = os.fork()\nif not pid: reach()\nos.waitpid(pid, 0) if pid else None",
    "in a child Python": (
        "subprocess.run([sys.executable, '-c', 'import socket, sys;"
        ' socket.create_connection(("127.0.0.1", int(sys.argv[1])))\', str(other)])'
    ),
    "in a child Python, through the shell": (
        "os.system(f'{sys.executable} -c \"import socket; socket.socket().connect((chr(49)+"
        "\\'27.0.0.1\\', {other}))\"')"
    ),
    "at import time": (
        "source = f'import socket; socket.create_connection((\"127.0.0.1\", {other}))'\n"
        "open('imported.py', 'w').write(source)\n"
        "import imported"
    ),
}
REACH = """
def reach():
    socket.create_connection(("127.0.0.1", other))
"""


@pytest.mark.parametrize("where", WHEREABOUTS)
def test_a_breach_is_refused_and_logged(inside: Inside, stranger: socket.socket, where: str) -> None:
    inside.python(PROLOGUE + REACH + WHEREABOUTS[where], 0, _port(stranger))

    assert inside.breaches() == [("socket.connect", f"127.0.0.1:{_port(stranger)}")]
    assert _nobody_called(stranger)


def test_a_swallowed_breach_leaves_its_process_alone(inside: Inside, stranger: socket.socket) -> None:
    source = PROLOGUE + REACH + WHEREABOUTS["where the exception is swallowed"]

    assert inside.python(source, 0, _port(stranger)).status == 0


def test_a_spawned_worker_is_behind_the_fence(inside: Inside, stranger: socket.socket) -> None:
    (inside.folder / "work.py").write_text(
        "import multiprocessing, socket, sys\n"
        "def reach(port): socket.create_connection(('127.0.0.1', port))\n"
        "if __name__ == '__main__':\n"
        "    worker = multiprocessing.get_context('spawn').Process(target=reach, args=(int(sys.argv[1]),))\n"
        "    worker.start(); worker.join()\n"
    )

    inside.run(sys.executable, "work.py", _port(stranger))

    assert inside.breaches() == [("socket.connect", f"127.0.0.1:{_port(stranger)}")]


def test_a_breach_names_the_test_the_process_and_the_time(inside: Inside) -> None:
    inside.python("import socket; socket.gethostbyname('example.org')", PYTEST_CURRENT_TEST="test_it.py::one (call)")
    inside.python("import socket; socket.gethostbyname('example.org')")

    first, second = lines(inside.folder / "breaches.jsonl")
    assert (first["test"], second["test"]) == ("test_it.py::one (call)", "outside any test")
    assert first["pid"] != second["pid"]
    assert first["at"] <= second["at"]


def test_a_breach_says_what_may_be_reached(inside: Inside, service: socket.socket) -> None:
    ended = inside.python("import socket; socket.gethostbyname('example.org')")

    assert (
        "FenceBreach: fence: example.org refused (socket.gethostbyname); this cell may reach "
        f"127.0.0.1:{_port(service)}, ::1:{_port(service)}, localhost:{_port(service)}"
    ) in ended.err


def test_a_cell_without_services_may_reach_nothing(inside: Inside) -> None:
    fence.write(inside.folder / "fence.json", frozenset(), inside.folder / "breaches.jsonl")

    assert "this cell may reach nothing" in inside.python("import socket; socket.gethostbyname('example.org')").err


def test_unix_sockets_and_pairs_are_none_of_its_business(inside: Inside) -> None:
    ended = inside.python(
        """
        import socket
        one, two = socket.socketpair()
        one.sendmsg([b"x"]); two.recv(1)
        server = socket.socket(socket.AF_UNIX)
        server.bind("here.sock"); server.listen()
        socket.socket(socket.AF_UNIX).connect("here.sock")
        """
    )

    assert ended.status == 0, ended
    assert inside.breaches() == []


def test_this_machine_itself_may_be_resolved(inside: Inside) -> None:
    ended = inside.python(
        """
        import socket
        socket.getaddrinfo(None, 80)
        socket.getaddrinfo("LOCALHOST", 80)
        socket.getnameinfo(("127.0.0.1", 80), 0)
        """
    )

    assert ended.status == 0, ended
    assert inside.breaches() == []


# ---- Children ------------------------------------------------------------------------------------------

BARE = "child without the fence's variables (MATRIX_FENCE, PYTHONPATH): "
SCRUBBED = 'bare = {k: v for k, v in os.environ.items() if k != "MATRIX_FENCE"}\n'
FENCELESS = {
    "an empty environment": ('subprocess.run(["true"], env={})', "subprocess.Popen", f"{BARE}true"),
    "one variable missing": (f'{SCRUBBED}subprocess.run(["true"], env=bare)', "subprocess.Popen", f"{BARE}true"),
    "another PYTHONPATH": (
        'subprocess.run(["true"], env={**os.environ, "PYTHONPATH": "/"})',
        "subprocess.Popen",
        f"{BARE}true",
    ),
    "an environment in bytes": ('subprocess.run(["true"], env={b"A": b"b"})', "subprocess.Popen", f"{BARE}true"),
    "its own environment cleared": (
        'os.environ.clear(); subprocess.run(["/bin/true"])',
        "subprocess.Popen",
        f"{BARE}/bin/true",
    ),
    "a shell": ('os.environ.clear(); os.system("true")', "os.system", f"{BARE}true"),
    "exec": ('os.execve("/bin/true", ["true"], {})', "os.exec", f"{BARE}/bin/true"),
    "exec of its own": ('os.environ.clear(); os.execv("/bin/true", ["true"])', "os.exec", f"{BARE}/bin/true"),
    "posix_spawn": ('os.posix_spawn("/bin/true", ["true"], {})', "os.posix_spawn", f"{BARE}/bin/true"),
}


@pytest.mark.parametrize("how", FENCELESS)
def test_a_child_without_the_variables_is_refused(inside: Inside, how: str) -> None:
    code, event, what = FENCELESS[how]

    ended = inside.python(f"import os, subprocess, sys\n{code}")

    assert inside.breaches() == [(event, what)], ended
    assert "FenceBreach" in ended.err


def test_a_child_that_is_spawned_without_the_variables_is_refused_by_itself(inside: Inside) -> None:
    inside.python('import os; os.spawnve(os.P_WAIT, "/bin/true", ["true"], {})')

    assert inside.breaches() == [("os.exec", f"{BARE}/bin/true")]


STARTS = {
    "Popen": "subprocess.run([sys.executable, *options])",
    "exec": "os.execv(sys.executable, ['python', *options])",
    "posix_spawn": "os.posix_spawn(sys.executable, ['python', *options], os.environ)",
    "env": "subprocess.run(['/usr/bin/env', sys.executable, *options])",
    "shell": "subprocess.run(' '.join([sys.executable, *options]), shell=True)",
    "system": "os.system('cd /; ' + ' '.join([sys.executable, *options]))",
}
FENCELESS_OPTIONS = (
    ["-E"], ["-S"], ["-sE"], ["-BI"], ["-Ic", "pass"], ["-u", "-S"],
    ["-W", "ignore", "-I"], ["-Wignore", "-S"], ["-X", "dev", "-E"], ["-Xdev", "-E"],
    ["--check-hash-based-pycs", "default", "-I"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("start", "options"),
    [
        *(pytest.param(start, ["-I"], id=start) for start in STARTS),
        *(pytest.param("Popen", options, id=" ".join(options)) for options in FENCELESS_OPTIONS),
    ],
)
def test_a_child_python_that_leaves_out_the_fence_is_refused(inside: Inside, start: str, options: list[str]) -> None:
    ended = inside.python(f"import os, subprocess, sys\noptions = {[*options, '-c', '1']}\n{STARTS[start]}")

    assert [what.partition(":")[0] for _, what in inside.breaches()] == ["child Python that leaves out sitecustomize"]
    assert "FenceBreach" in ended.err


@pytest.mark.parametrize(
    "options",
    [
        ["-c", "I = E = S = 'ISE'"], ["-c", "1", "-I"], ["-cI=1"], ["-sc", "S = 1"], ["-m", "this", "-S"], ["-"],
        ["-B", "-u", "-c", "1"], ["-WIgnore", "-c", "1"], ["-W", "Error::SyntaxWarning", "-c", "1"],
        ["-X", "IES", "-c", "1"], ["-XIES", "-c", "1"], ["--", "-I"], ["--version", "-c"], ["/dev/null", "-I"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_child_python_with_any_other_option_is_fine(inside: Inside, options: list[str]) -> None:
    inside.python(f"import subprocess, sys; subprocess.run([sys.executable, *{options}], stdin=subprocess.DEVNULL)")

    assert inside.breaches() == []


def test_other_programs_may_have_those_letters(inside: Inside) -> None:
    inside.python("import os, subprocess; subprocess.run(['ls', '-I', '-S']); os.system('ls -S >/dev/null')")

    assert inside.breaches() == []


def test_a_process_knows_whether_it_is_behind_the_fence(inside: Inside) -> None:
    asked = "from environments.inside import fence; print(fence.is_up())"

    assert inside.python(asked).out == "True\n"
    assert fence.is_up() is False
