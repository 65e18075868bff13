"""Why tests of the SDK's end otherwise on a wrapped client."""

from __future__ import annotations

from tests.sdk_suite.compare import Reason

REASONS: tuple[Reason, ...] = ()
