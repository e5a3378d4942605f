"""The keys of one machine: a key pair, and with it a token for the gateway and one for whoever sits there."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from cofounder_server import clock, errors
from cofounder_server.identity import keys, tokens

YEAR_SECONDS = 365 * 86400.0
ME = "me"
ME_PLAN = "cto_scale"
GATEWAY = "gateway"


def ensure_keys(data: Path, *, wall: clock.Clock | None = None) -> rsa.RSAPrivateKey:
    """Makes what is absent of `<data>/keys/`: `development.pem`, `gateway.token`, `me.token`; returns the key.

    All are readable by their owner only. A token that the key does not verify (any more) is made anew. May run in
    any number of processes at once.
    """
    wall = wall or clock.WallClock()
    key = keys.ensure_key(keys.key_path(data))
    now, verifier = wall.now(), tokens.DevelopmentVerifier(key.public_key(), wall=wall)
    issued = {
        "gateway.token": tokens.issue_service_token(key, service=GATEWAY, lifetime=10 * YEAR_SECONDS, now=now),
        "me.token": tokens.issue_development_token(
            key, user_id=ME, plan_slug=ME_PLAN, lifetime=10 * YEAR_SECONDS, now=now
        ),
    }
    for name, token in issued.items():
        path = data / "keys" / name
        if not _is_valid(path, verifier):
            keys.write_private(path, f"{token.token}\n".encode(), replace=True)
    return key


def _is_valid(path: Path, verifier: tokens.DevelopmentVerifier) -> bool:
    try:
        verifier.check(path.read_text().strip())
    except (OSError, UnicodeDecodeError, errors.Unauthenticated):
        return False
    return True
