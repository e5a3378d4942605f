"""The gateway: one port for browsers; relays build logs over websockets and passes calls on."""
