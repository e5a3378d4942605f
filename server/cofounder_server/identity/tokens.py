"""Bearer tokens: the seam at which they are verified, and the tokens that a development machine issues itself."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from cofounder_server import clock, errors
from cofounder_server.identity.caller import Identity, Kind

MAX_TOKEN_BYTES = 8 * 1024
SKEW_SECONDS = 60
ISSUER = "cofounder-development"
AUDIENCE = "cofounder"
PLANS = ("bootstrapper", "partner", "cto_scale")
USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@|:+-]{0,127}")

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Exactly what `issue` writes. Keys and addresses of keys in a header are thereby refused unread.
_HEADER = {"alg": "RS256", "typ": "JWT"}
# The algorithm is fixed here; what a header asks for decides nothing.
_RS256 = PyJWS(algorithms=["RS256"])


class Verifier(Protocol):
    """Tells whom a token speaks for."""

    async def verify(self, token: str) -> Identity:
        """Returns whom the token speaks for.

        Raises:
            Unauthenticated: For every fault alike, so that nobody learns which one it is.
        """


class DevelopmentVerifier:
    """Verifies the tokens that `issue_development_token` and `issue_service_token` made with the same key."""

    def __init__(self, key: rsa.RSAPublicKey, *, wall: clock.Clock) -> None:
        self._key = key
        self._clock = wall

    async def verify(self, token: str) -> Identity:
        return self.check(token)

    def check(self, token: str) -> Identity:
        """Does what `verify` does; it needs nothing but the processor."""
        if len(token) > MAX_TOKEN_BYTES or not _SHAPE.fullmatch(token):
            raise errors.Unauthenticated
        try:
            verified = _RS256.decode_complete(token, self._key, algorithms=["RS256"])
            claims = _strict_object(verified["payload"])
        except (PyJWTError, ValueError, RecursionError):
            raise errors.Unauthenticated from None
        if verified["header"] != _HEADER:
            raise errors.Unauthenticated
        return _identity(claims, self._clock.now())


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A bearer token and when it ends."""

    token: str = field(repr=False)
    expire_time: datetime


def issue_development_token(
    key: rsa.RSAPrivateKey, *, user_id: str, plan_slug: str | None = None, lifetime: float, now: datetime
) -> IssuedToken:
    """Returns a token that speaks for `user_id` for `lifetime` seconds from `now`.

    Args:
        plan_slug: The plan the user shall have from its first use on; None leaves it as it is.

    Raises:
        InvalidRequest: The user id or the plan is none.
    """
    violations = {}
    if not USER_ID.fullmatch(user_id):
        violations["user_id"] = "must be 1 to 128 letters, digits or _.@|:+- and begin with a letter or digit"
    if plan_slug is not None and plan_slug not in PLANS:
        violations["plan"] = f"must be one of {', '.join(PLANS)}"
    if violations:
        raise errors.InvalidRequest(violations)
    return _issue(key, {"sub": user_id} | ({"plan": plan_slug} if plan_slug else {}), lifetime, now)


def issue_service_token(key: rsa.RSAPrivateKey, *, service: str, lifetime: float, now: datetime) -> IssuedToken:
    """Returns a token that speaks for a service, such as a gateway, for `lifetime` seconds from `now`."""
    return _issue(key, {"sub": service, "svc": True}, lifetime, now)


def _issue(key: rsa.RSAPrivateKey, claims: Mapping[str, Any], lifetime: float, now: datetime) -> IssuedToken:
    issued = now.replace(microsecond=0)
    expires = issued + timedelta(seconds=round(lifetime))
    standard = {"iss": ISSUER, "aud": AUDIENCE, "iat": int(issued.timestamp()), "exp": int(expires.timestamp())}
    payload = json.dumps({**standard, **claims}, separators=(",", ":")).encode()
    return IssuedToken(_RS256.encode(payload, key, algorithm="RS256"), expires)


def _strict_object(payload: bytes) -> dict[str, Any]:
    """Returns a JSON object in which no key stands twice and no number is beyond JSON. Raises ValueError if not."""
    value = json.loads(payload.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _identity(claims: Mapping[str, Any], now: datetime) -> Identity:
    subject, plan, service = claims.get("sub"), claims.get("plan"), claims.get("svc", False)
    well_formed = (
        claims.get("iss") == ISSUER
        and claims.get("aud") == AUDIENCE
        and isinstance(subject, str)
        and USER_ID.fullmatch(subject)
        and (plan is None or plan in PLANS)
        and isinstance(service, bool)
    )
    if not well_formed or not _in_time(claims, now):
        raise errors.Unauthenticated
    return Identity(
        user_id=str(subject),
        kind=Kind.SERVICE if service else Kind.USER,
        plan_slug=plan,
        expire_time=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _in_time(claims: Mapping[str, Any], now: datetime) -> bool:
    times = [claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)]
    # `type`, because True is an int, and a float or a string is none. 2^37 seconds are the year 6325.
    if any(type(time) is not int or not 0 <= time < 2**37 for time in times):
        return False
    expires, issued, begins = (int(str(time)) for time in times)
    at = now.timestamp()
    return issued < expires and at < expires + SKEW_SECONDS and max(issued, begins) <= at + SKEW_SECONDS
