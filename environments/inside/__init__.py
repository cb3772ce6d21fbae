"""What runs inside a cell's venv: the fence, the lifeline, the target and the pytest plugins.

Imports the standard library, and pytest (with the packaging that comes with it) in the plugins; nothing else, and
nothing else of `environments`: here it would meet the SDK's own dependencies.
"""
