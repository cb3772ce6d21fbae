"""Failures made with real sockets: a proxy in front of the target that goes wrong as it is told.

    proxy.fail(Status(503), "/session/start", first=2)   two times, on this path only
    proxy.fail(Hang())                                   everything, until …
    proxy.lift()                                         … it is lifted

`kinds` is what can go wrong, `proxy` who does it, `certificates` who vouches for it.
"""

from __future__ import annotations

from tests.support.faults.kinds import Cut, Delay, Fault, Garbage, Hang, NotHttp, Refuse, Reset, Status, Throttle
from tests.support.faults.proxy import Proxy, Seen

__all__ = [
    "Cut",
    "Delay",
    "Fault",
    "Garbage",
    "Hang",
    "NotHttp",
    "Proxy",
    "Refuse",
    "Reset",
    "Seen",
    "Status",
    "Throttle",
]
