"""Stands in for the server's commands when the stack itself is tested."""
