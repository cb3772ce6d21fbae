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


# ---- What a test declares ------------------------------------------------------------------------------

LISTENING = """
import os, socket, subprocess, sys
from environments.inside import fence
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
reach = f"import socket; socket.create_connection(('127.0.0.1', {port})).close()"
"""


@pytest.mark.parametrize(
    "reaching",
    ["exec(reach)", "subprocess.run([sys.executable, '-c', reach], check=True)"],
    ids=["the process itself", "a child that runs already"],
)
def test_a_listener_of_ones_own_is_reached_once_it_is_declared(inside: Inside, reaching: str) -> None:
    ended = inside.python(f"{LISTENING}\nwith fence.declared(listener): {reaching}\nexec(reach)")

    (breach,) = inside.breaches()  # the last one: it is declared no more
    assert breach[0] == "socket.connect"
    assert "FenceBreach" in ended.err


def test_a_process_that_runs_already_sees_what_another_declares(inside: Inside) -> None:
    ended = inside.python(
        f"""{LISTENING}
waiting = subprocess.Popen([sys.executable, "-c", "input();" + reach], stdin=subprocess.PIPE)
with fence.declared(listener):
    waiting.communicate(b"go\\n")
sys.exit(waiting.returncode)
"""
    )

    assert ended.status == 0, ended
    assert inside.breaches() == []


def test_a_declared_port_may_refuse_and_listen_again(inside: Inside) -> None:
    ended = inside.python(
        f"""{LISTENING}
listener.close()
listener = socket.socket()
listener.bind(("127.0.0.1", port))  # by its number: a port that the system chose would be given back
listener.listen()
with fence.declared(listener):
    listener.shutdown(socket.SHUT_RDWR)
    try:
        exec(reach)
    except ConnectionRefusedError:
        listener.listen()
    exec(reach)
"""
    )

    assert ended.status == 0, ended
    assert inside.breaches() == []


UNDECLARABLE = {
    "every address": 'one = socket.create_server(("0.0.0.0", 0))',
    "a port that is bound and not listened on": 'one = socket.socket(); one.bind(("127.0.0.1", 0))',
    "no port at all": "one = socket.socket()",
    "a datagram's port": 'one = socket.socket(type=socket.SOCK_DGRAM); one.bind(("127.0.0.1", 0))',
    "what one is connected to": 'one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))',
}


@pytest.mark.parametrize("what", UNDECLARABLE)
def test_only_a_loopback_port_that_is_listened_on_can_be_declared(
    inside: Inside, service: socket.socket, what: str
) -> None:
    ended = inside.python(
        f"import socket, sys\nfrom environments.inside import fence\n{UNDECLARABLE[what]}\n"
        "with fence.declared(one): pass",
        _port(service),
    )

    assert "cannot be declared to the fence: only a loopback address that this socket listens on can" in ended.err


def test_nobody_can_declare_a_remote_host_by_writing_it_down(inside: Inside) -> None:
    ended = inside.python(
        f"""{LISTENING}
from pathlib import Path
with fence.declared(listener):
    (written,) = Path(fence._fence.declared).iterdir()
    written.with_name("192.0.2.1-80=1-0").write_text(written.read_text())
    socket.socket().connect(("192.0.2.1", 80))
"""
    )

    assert inside.breaches() == [("socket.connect", "192.0.2.1:80")], ended


def test_a_declaration_ends_with_its_socket(inside: Inside) -> None:
    inside.python(
        f"""{LISTENING}
with fence.declared(listener):
    listener.close()
    exec(reach)
"""
    )

    assert [event for event, _ in inside.breaches()] == ["socket.connect"]


def test_a_declaration_ends_with_a_process_that_was_killed(inside: Inside) -> None:
    inside.python(
        f"""{LISTENING}
if (pid := os.fork()) == 0:
    own = socket.create_server(("127.0.0.1", 0))
    fence.declared(own).__enter__()
    with open("port", "w") as told: told.write(str(own.getsockname()[1]))
    os.kill(os.getpid(), 9)
os.waitpid(pid, 0)
socket.create_connection(("127.0.0.1", int(open("port").read())))
"""
    )

    assert [event for event, _ in inside.breaches()] == ["socket.connect"]


def test_a_datagram_to_a_declared_port_is_still_a_breach(inside: Inside) -> None:
    inside.python(
        f"""{LISTENING}
with fence.declared(listener):
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))
"""
    )

    assert [event for event, _ in inside.breaches()] == ["socket.sendto"]


def test_a_declared_name_does_not_resolve_and_is_no_breach(inside: Inside) -> None:
    ended = inside.python(
        """
        import asyncio, socket
        from environments.inside import fence

        async def resolve():
            await asyncio.get_running_loop().getaddrinfo("api.nowhere.invalid", 443)

        with fence.unresolvable("api.nowhere.invalid"):
            for ask in (
                lambda: socket.getaddrinfo("API.nowhere.invalid", 443),
                lambda: socket.gethostbyname("api.nowhere.invalid"),
                lambda: asyncio.run(resolve()),
            ):
                try:
                    ask()
                except socket.gaierror as error:
                    print(error.errno == socket.EAI_NONAME)
        """
    )

    assert ended.out == "True\n" * 3, ended
    assert inside.breaches() == []


@pytest.mark.parametrize("asked", ["other.invalid", "nowhere.invalid", "x.api.nowhere.invalid"])
def test_a_name_that_is_not_declared_stays_a_breach(inside: Inside, asked: str) -> None:
    inside.python(
        f"""
        import socket
        from environments.inside import fence
        with fence.unresolvable("api.nowhere.invalid"):
            socket.getaddrinfo({asked!r}, 443)
        """
    )

    assert inside.breaches() == [("socket.getaddrinfo", f"{asked}:443")]


@pytest.mark.parametrize("name", ["example.org", "invalid", "a.invalid.example.org", "../a.invalid", "*.invalid", ""])
def test_no_name_that_may_exist_can_be_declared(inside: Inside, name: str) -> None:
    ended = inside.python(
        f"from environments.inside import fence\nwith fence.unresolvable({name!r}): pass",
    )

    assert "cannot be declared to the fence: only a name that ends in .invalid exists nowhere" in ended.err


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
