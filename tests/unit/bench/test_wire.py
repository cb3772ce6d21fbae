from __future__ import annotations

import pytest

from environments.bench import wire
from environments.services.honeyhive.ingestion import mapping, otlp


@pytest.mark.parametrize("media_type", [wire.JSON, wire.PROTOBUF])
@pytest.mark.parametrize("spans", [1, 50])
def test_no_request_repeats_a_span(media_type: str, spans: int) -> None:
    template = wire.traces(media_type, spans)
    batches = [otlp.decode(media_type, template.fresh()) for _ in range(3)]
    events = [mapping.mapped(span).event for batch in batches for span in batch]
    assert len({event.event_id for event in events}) == 3 * spans
    assert len({event.session_id for event in events}) == 3


def test_both_encodings_say_the_same() -> None:
    decoded = [list(otlp.decode(kind, wire.traces(kind, 5).body)) for kind in (wire.JSON, wire.PROTOBUF)]
    assert decoded[0] == decoded[1]


def test_spans_can_be_kept_in_one_session() -> None:
    template = wire.in_session(wire.traces(wire.PROTOBUF, 3), "0" * 36)
    events = [mapping.mapped(span).event for span in otlp.decode(wire.PROTOBUF, template.fresh())]
    assert {event.session_id for event in events} == {"0" * 36}


@pytest.mark.parametrize("template", [wire.traces(wire.PROTOBUF, 2), wire.session_start(), wire.export("s", 5, 1)])
def test_a_template_survives_the_way_to_another_process(template: wire.Template) -> None:
    assert wire.Template.from_json(template.to_json()) == template
