"""What this library builds on in the SDK, each fact pinned by a test that knows the SDK alone.

The law: nothing of ours is loaded here, so that the facts can be asked of any SDK, supported or not:
``python -m tests.matrix --facts VERSION``. Each test is one fact. Its docstring says what holds, and under "Used by"
what of ours breaks when it holds no more; a failure shows it. Where a fact has changed, the test says in which version.
"""
