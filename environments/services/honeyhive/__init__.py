"""A HoneyHive-compatible service: what development runs on, reached over HTTP like the real one.

It answers every SDK line from 1.0 on. Where HoneyHive's own behaviour is not documented, the module that decides
says "inferred". What is not built answers 501, never with a plausible lie.
"""
