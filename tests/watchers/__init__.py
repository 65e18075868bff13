"""Who watches a call: what packages that record calls to Claude learn of a stream that is read through us.

The law: the packages are data (`packages`: what is installed, how it is put on, what it records), the ways of reading
and of ending are data (`scenarios`), and what must hold is said once (`verdict`). ``python -m tests.watchers`` makes an
environment for each package and runs everything there, without a network; ``tests/whole/test_real_watchers.py`` runs
what installs quickly.
"""
