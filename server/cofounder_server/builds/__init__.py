"""The life of a build: its start, its log, and the watch of it."""
