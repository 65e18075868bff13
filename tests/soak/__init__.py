"""Thousands of streams over faulty connections, left in every way: what becomes of each, and what is left behind.

The law: what a stream must end in is worked out from its fault (`faults`) and from how it is left (`run`), and from
nothing of the library. ``python -m tests.soak`` runs as long as it is told; one test runs a short form.
"""
