"""An LLM service: OpenAI- and Anthropic-compatible, for tests, reached over HTTP like the real ones.

Deterministic: what it answers follows from the request alone (`answering` says how), what it counts from its own
tokenizer (`tokens`), and how it misbehaves from the model's name (`models` has the grammar). It keeps nothing. Any API
key is good, none is not. What it cannot do it answers with an error in the family's own shape.

The shapes are those that the models of openai 3.54 and anthropic 2.11 read, and the providers' public API references
describe; where a module knows no source, it says "inferred".
"""
