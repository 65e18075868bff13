"""Fuzzing: streams that nobody would write, through everything that reads streams. ``python -m tests.fuzz``.

An example is a stream of the seeds, changed by a mutator that knows the grammar. What it must end in is worked out by
`reference`, which shares no code with the library.
"""
