"""Where events come from and how they are iterated: sources, the two drivers, time limits, restarts."""
