"""Fakes and fixtures that speak the real wire. Production never imports this."""
