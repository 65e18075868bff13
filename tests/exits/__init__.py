"""How streams end: every way out, over every transport, in every mode, from every kind of source, at every moment.

The law: the matrix is data (`matrix`), and what must hold in a cell is worked out from the contract alone; what
does hold is measured (`run`) over servers whose every byte is scripted (`servers`). ``python -m tests.exits`` runs
all of it; one test runs a short form.
"""
