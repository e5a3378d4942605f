"""What the stand-ins share: each notes that it ran and with which environment, and serves until it is asked to end."""

import http.server
import json
import os
import signal
import socketserver
import sys
import threading
from collections.abc import Callable
from pathlib import Path

RECORD = Path(os.environ["FAKE_RECORD"])


def note(name: str, event: str) -> None:
    known = {key: value for key, value in os.environ.items() if key.startswith(("ANTHROPIC_", "COFOUNDER_"))}
    known |= {key: os.environ[key] for key in ("DATABASE_URL", "REDIS_URL", "PORT", "GRPC_PORT") if key in os.environ}
    line = {"name": name, "event": event, "pid": os.getpid(), "argv": sys.argv[1:], "env": known}
    descriptor = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, json.dumps(line).encode() + b"\n")
    os.close(descriptor)


def until_asked_to_end(name: str, begin: Callable[[], None] = lambda: None) -> None:
    """FAKE_DEAF names the one that ignores the polite signal."""
    asked = threading.Event()

    def on_signal(*_: object) -> None:
        note(name, "asked to end")
        if os.environ.get("FAKE_DEAF") != name:
            asked.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    note(name, "started")
    begin()
    while not asked.wait(0.02):
        pass


def say_ready() -> None:
    Path(os.environ["COFOUNDER_READY_FIFO"]).write_text("ready\n")


def listen(port: int) -> None:
    serve(Listener(("127.0.0.1", port), socketserver.BaseRequestHandler))


def listen_http(port: int) -> None:
    serve(http.server.HTTPServer(("127.0.0.1", port), Health))


def serve(server: socketserver.TCPServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Listener(socketserver.TCPServer):
    # As real servers do: connections of the last run that still linger do not block the port.
    allow_reuse_address = True


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
