"""The SDK's own tests, plain and on wrapped clients: `python -m tests.sdk_suite`."""
