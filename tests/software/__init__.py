"""Third-party packages on a wrapped client: `python -m tests.software`."""
