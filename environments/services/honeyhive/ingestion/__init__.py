"""From what clients and instrumentors send to events: OTLP, conventions, mapping. Pure."""
