"""The one error of this layer: something on this machine keeps the stack from running."""


class MachineError(Exception):
    """Says what happened, what it means and what to do next; its text is meant to be read by a person at a terminal."""
