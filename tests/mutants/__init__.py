"""Faults put into the code on purpose, one at a time: does a test notice? ``python -m tests.mutants`` runs it.

What a mutant is comes from mutmut, whose operators make them; `make` and `run` do what neither package does here:

- mutmut 3 passes over every function with a decorator, and so over each property and each overloaded `__init__`, and
  over all that stands outside of functions, such as the tables of `builder` and `deltas`.
- mutmut runs all tests that enter the changed function, in no order of files, and reports on the one that fails, which
  takes longer than most tests. Here a test runs only if it runs the changed statement, a module's own tests come first,
  and there is a limit to the others.
- cosmic-ray starts a process for each mutant, which imports the SDK and collects the tests again, four thousand times.
"""
