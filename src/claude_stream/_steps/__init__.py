"""What events mean: all behaviour of the library, as steps that do no I/O."""
