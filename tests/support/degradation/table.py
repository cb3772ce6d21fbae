"""How the SDK degrades, as a table: what is called, what goes wrong, on which lines. What is, not what should be.

A row reads: when `entry` is called and one of `faults` happens to it, the call `says` this, after `within_s` at most,
and the server has what was sent or hasn't (`kept`). A row without `sdk` holds on every line. `{fault}` stands for the
status that was answered.

In short. A tracer never raises, and never tells: init makes a session id up, `flush()` is True whatever became of the
spans, and what could not be sent is lost. A client raises. Both try once; `events.export` alone tries again. When the
fault is gone the same object works again, at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.faults import Cut, Delay, Fault, Garbage, Hang, NotHttp, Refuse, Reset, Status, Throttle

FAULTS: dict[str, Fault] = {
    "refused": Refuse(),
    "reset": Reset(),
    "garbage": Garbage(),
    "no-http": NotHttp(),
    "cut": Cut(after=1),
    "unanswered": Cut(after=None),
    "slow": Delay(0.3),
    "slower": Delay(0.8),
    "dripping": Throttle(bytes_at_a_time=100, every_s=0.1),
    "hanging": Hang(),
    "201": Status(201, done=True),
    "429": Status(429, {"Retry-After": "1"}),
    **{str(code): Status(code) for code in (401, 403, 404, 408, 413, 500, 502, 503, 504)},
}

STATUSES = ("401", "403", "404", "408", "413", "429", "500", "502", "503")
# The server never did what it was asked …
UNDONE = ("refused", "reset", "garbage", "no-http", *STATUSES)
UNDONE_IN_SHORT = ("refused", "reset", "garbage", "no-http", "401", "429", "503")
# … it did, but the SDK is not told so …
UNTOLD = ("cut", "unanswered", "201")
# … it did, and the SDK is told, late.
LATE = ("slow", "dripping")

HTTP_EXCEPTION = "raises honeyhive._generated.api_config.HTTPException {fault}"
API_ERROR = "raises honeyhive.utils.error_handler.APIError {fault}"
NOT_JSON = "raises json.decoder.JSONDecodeError"

# What is not done is over at once: this much is for a busy machine.
AT_ONCE_S = 5.0
# What a client, and a tracer that calls a route of the API, waits for an answer; and what an exporter does.
API_LIMIT_S = 5.0 + AT_ONCE_S
EXPORT_LIMIT_S = 30.0 + AT_ONCE_S


@dataclass(frozen=True)
class Row:
    """What comes of some faults at one entry point."""

    entry: str
    faults: tuple[str, ...]
    says: str
    kept: bool
    within_s: float = AT_ONCE_S
    sdk: str = ""


TABLE = (
    # init: one try to start a session; else the tracer has an id of its own making, and its spans go there.
    Row("init", UNDONE, "a tracer", kept=False),
    Row("init", UNTOLD, "a tracer", kept=False),  # and the server has a session that is nobody's
    Row("init", LATE, "a tracer", kept=True),
    Row("init", ("hanging",), "a tracer", kept=False, within_s=API_LIMIT_S),
    # A span that is exported where it ends (disable_batch=True): the traced code waits.
    Row("span export", UNDONE, "None", kept=False),
    Row("span export", (*UNTOLD, "slow"), "None", kept=True),
    Row("span export", ("hanging",), "None", kept=False, within_s=EXPORT_LIMIT_S),
    Row("flush", UNDONE, "True", kept=False),
    Row("flush", (*UNTOLD, *LATE), "True", kept=True),
    Row("flush", ("hanging",), "True", kept=False, within_s=EXPORT_LIMIT_S),
    Row("shutdown", UNDONE_IN_SHORT, "None", kept=False),
    Row("shutdown", (*UNTOLD, "slow"), "None", kept=True),
    Row("shutdown", ("hanging",), "None", kept=False, within_s=EXPORT_LIMIT_S),
    Row("enrich session", UNDONE_IN_SHORT, "None", kept=False),
    Row("enrich session", (*UNTOLD, "slow"), "None", kept=True),
    Row("enrich session", ("hanging",), "None", kept=False, within_s=API_LIMIT_S),
    # By the id of an event. It is the one call of a tracer that tells.
    Row("enrich span", UNDONE_IN_SHORT, "False", kept=False),
    Row("enrich span", UNTOLD, "False", kept=True),
    Row("enrich span", ("slow",), "True", kept=True),
    Row("enrich span", ("hanging",), "False", kept=False, within_s=API_LIMIT_S),
    Row("create event", UNDONE_IN_SHORT, "None", kept=False),
    Row("create event", UNTOLD, "None", kept=True),
    Row("create event", ("slow",), "an id", kept=True),
    Row("create event", ("hanging",), "None", kept=False, within_s=API_LIMIT_S),
    *(
        row
        for client in ("client", "async client")
        for row in (
            Row(client, ("refused",), "raises httpx.ConnectError", kept=False),
            Row(client, ("reset",), "raises httpx.ReadError", kept=False),
            Row(client, ("garbage",), NOT_JSON, kept=False),
            Row(client, ("no-http",), "raises httpx.RemoteProtocolError", kept=False),
            Row(client, STATUSES, HTTP_EXCEPTION, kept=False),
            Row(client, ("201",), HTTP_EXCEPTION, kept=True),
            Row(client, ("cut", "unanswered"), "raises httpx.RemoteProtocolError", kept=True),
            Row(client, LATE, "an answer", kept=True),
            Row(client, ("hanging",), "raises httpx.ReadTimeout", kept=False, within_s=API_LIMIT_S),
        )
    ),
    # A client that was given timeout=0.4: it is not for the whole call, but for each wait in it.
    Row("hurried client", ("slower",), "an answer", kept=True, sdk="<1.3"),
    Row("hurried client", ("slower",), "raises httpx.ReadTimeout", kept=True, sdk=">=1.3"),
    Row("hurried client", ("dripping",), "an answer", kept=True),
)

# ---- events.export, which tries again -----------------------------------------------------------------

RETRIED = ("408", "429", "500", "502", "503", "504")
# Three pauses, of 1, 2 and 4 s give or take a tenth, and as many more for a busy machine.
RETRIES_S = 7.7 + 8.0


@dataclass(frozen=True)
class Retry:
    """What comes of a fault that only the first so many tries meet; None is all of them."""

    fault: str
    first: int | None
    says: str
    tries: int
    pauses_s: float = 0.0


RETRIES = (
    *(Retry(fault, 1, "an answer", tries=2, pauses_s=0.9) for fault in RETRIED),
    *(Retry(fault, None, API_ERROR, tries=4, pauses_s=6.3) for fault in RETRIED),
    Retry("refused", None, "raises httpx.ConnectError", tries=0, pauses_s=6.3),
    *(Retry(fault, None, API_ERROR, tries=1) for fault in ("201", "401", "403", "404", "413")),
    Retry("reset", None, "raises httpx.ReadError", tries=1),
    Retry("cut", None, "raises httpx.RemoteProtocolError", tries=1),
    Retry("unanswered", None, "raises httpx.RemoteProtocolError", tries=1),
    Retry("no-http", None, "raises httpx.RemoteProtocolError", tries=1),
    Retry("garbage", None, NOT_JSON, tries=1),
    Retry("slow", None, "an answer", tries=1),
)
# What hangs is waited for, four times five minutes; less if HH_EXPORT_TIMEOUT_SECONDS says so when the SDK is imported.
SHORTENED_S = 0.5
RETRIED_HANGING = Retry("hanging", None, "raises httpx.ReadTimeout", tries=4, pauses_s=6.3 + 4 * SHORTENED_S)

# ---- evaluate(), whose parts fail one by one -----------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """What is left of an evaluation of two datapoints, one part of which gets nothing but the fault.

    `sessions`, `outputs` and `scores` are how many the server has; `status` is the run's, None where there is none.
    """

    name: str
    path: str
    method: str
    fault: str
    says: str
    status: str | None
    sessions: int = 2
    outputs: int = 2
    scores: int = 2


EVALUATE = (
    Part("nothing", "/none", "GET", "503", "success", "completed"),
    # Without a run nothing is called, and nothing sent.
    Part("the run", "/v1/runs", "POST", "503", HTTP_EXCEPTION, None, 0, 0, 0),
    Part("the run", "/v1/runs", "POST", "unanswered", "raises httpx.RemoteProtocolError", "pending", 0, 0, 0),
    # From here on its word is "success", whatever is lost.
    Part("the sessions", "/session/start", "POST", "503", "success", "completed", sessions=0, outputs=0),
    Part("the spans", "/opentelemetry/*", "POST", "503", "success", "completed", scores=0),
    Part("the outputs", "/events", "PUT", "503", "success", "completed", outputs=0),
    Part("the run's end", "/v1/runs/*", "PUT", "503", "success", "pending"),
    # All is done, and nothing of it shown.
    Part("the result", "/v1/runs/*/result", "GET", "503", HTTP_EXCEPTION, "completed"),
)
