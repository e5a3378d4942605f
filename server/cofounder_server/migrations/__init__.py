"""The schema, in the order it grew."""
