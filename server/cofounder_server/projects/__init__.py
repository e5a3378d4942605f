"""Projects: who works in them with which role, and the links that let others watch."""
