"""The Cofounder server: builds as durable, watchable logs."""
