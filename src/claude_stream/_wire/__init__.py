"""What goes over the wire: bytes to events, and events to the SDK's objects and back."""
