"""Development tokens against everything that is not one (D-2, example 109)."""

import base64
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cofounder_server import clock, errors
from cofounder_server.identity import tokens
from cofounder_server.identity.caller import Kind

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
HEADER = {"alg": "RS256", "typ": "JWT"}
CLAIMS = {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "sub": "me", "iat": AT, "exp": AT + 600}

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def verifier() -> tokens.DevelopmentVerifier:
    return tokens.DevelopmentVerifier(KEY.public_key(), wall=clock.VirtualClock(NOW))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unsigned(header: Any, payload: bytes | None = None) -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(payload or json.dumps(CLAIMS).encode())}"


def signed(header: Any = HEADER, claims: Any = CLAIMS, *, key: rsa.RSAPrivateKey = KEY, raw: bytes = b"") -> str:
    """A token with these very bytes, signed by RS256 whatever its header says."""
    body = unsigned(header, raw or json.dumps(claims).encode())
    return f"{body}.{b64(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def hs256(secret: bytes) -> str:
    body = unsigned({"alg": "HS256", "typ": "JWT"})
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(body.encode())
    return f"{body}.{b64(mac.finalize())}"


def es256() -> str:
    body = unsigned({"alg": "ES256", "typ": "JWT"})
    key = ec.generate_private_key(ec.SECP256R1())
    return f"{body}.{b64(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))}"


def claims(**changes: Any) -> str:
    return signed(claims={name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...})


def header(**changes: Any) -> str:
    return signed(header={**HEADER, **changes})


PUBLIC_PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
PUBLIC_DER = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
NUMBERS = OTHER.public_key().public_numbers()
JWK = {"kty": "RSA", "n": b64(NUMBERS.n.to_bytes(256)), "e": b64(NUMBERS.e.to_bytes(3))}
GOOD = signed()

FORGERIES = {
    "empty": "",
    "one word": "bearer",
    "two parts": GOOD.rpartition(".")[0],
    "four parts": f"{GOOD}.x",
    "no signature": f"{GOOD.rpartition('.')[0]}.",
    "trailing newline": f"{GOOD}\n",
    "leading blank": f" {GOOD}",
    "padded": f"{GOOD}==",
    "another signature": GOOD[:-6] + ("AAAAAA" if not GOOD.endswith("AAAAAA") else "BBBBBB"),
    "another payload": unsigned(HEADER, json.dumps({**CLAIMS, "sub": "you"}).encode()) + "." + GOOD.split(".")[2],
    "alg none": unsigned({"alg": "none", "typ": "JWT"}) + ".",
    "alg none with signature": header(alg="none"),
    "alg NONE": header(alg="NONE"),
    "alg nOnE": header(alg="nOnE"),
    "alg missing": signed(header={"typ": "JWT"}),
    "alg a list": header(alg=["RS256"]),
    "HS256 with the public PEM": hs256(PUBLIC_PEM),
    "HS256 with the public DER": hs256(PUBLIC_DER),
    "HS256 with the JWK": hs256(json.dumps(JWK).encode()),
    "ES256": es256(),
    "RS512": header(alg="RS512"),
    "rs256 in small letters": header(alg="rs256"),
    "crit": header(crit=["exp"]),
    "b64 detached": header(b64=False, crit=["b64"]),
    "embedded jwk": signed(header={**HEADER, "jwk": JWK}, key=OTHER),
    "jku": signed(header={**HEADER, "jku": "http://127.0.0.1:9/keys"}, key=OTHER),
    "x5u": signed(header={**HEADER, "x5u": "http://127.0.0.1:9/keys"}, key=OTHER),
    "x5c": signed(header={**HEADER, "x5c": ["AAAA"]}, key=OTHER),
    "kid a path": header(kid="../../dev/null"),
    "kid SQL": header(kid="' or 1=1 --"),
    "kid of 5 kB": header(kid="k" * 5000),
    "kid a number": header(kid=1),
    "of another key": signed(key=OTHER),
    "header no object": signed(header=["RS256"]),
    "header deeper than the parser": b64(b"[" * 4000) + "." + GOOD.partition(".")[2],
    "exp past": claims(iat=AT - 600, exp=AT - 61),
    "exp missing": claims(exp=...),
    "exp a float": claims(exp=AT + 600.5),
    "exp a text": claims(exp=str(AT + 600)),
    "exp true": claims(exp=True),
    "exp null": claims(exp=None),
    "exp beyond all time": claims(exp=10**30),
    "exp 1e309": signed(raw=json.dumps(CLAIMS).replace(str(AT + 600), "1e309").encode()),
    "exp Infinity": signed(raw=json.dumps(CLAIMS).replace(str(AT + 600), "Infinity").encode()),
    "exp NaN": signed(raw=json.dumps(CLAIMS).replace(str(AT + 600), "NaN").encode()),
    "exp before iat": claims(iat=AT + 30, exp=AT + 20),
    "iat ahead": claims(iat=AT + 61, exp=AT + 600),
    "iat missing": claims(iat=...),
    "iat negative": claims(iat=-1),
    "nbf ahead": claims(nbf=AT + 61),
    "nbf a text": claims(nbf="0"),
    "iss with an end more": claims(iss=tokens.ISSUER + "/"),
    "iss cut short": claims(iss=tokens.ISSUER[:-1]),
    "iss a list": claims(iss=[tokens.ISSUER]),
    "iss missing": claims(iss=...),
    "aud another": claims(aud="cofounder-web"),
    "aud a list": claims(aud=[tokens.AUDIENCE]),
    "aud missing": claims(aud=...),
    "sub missing": claims(sub=...),
    "sub a number": claims(sub=7),
    "sub empty": claims(sub=""),
    "sub NUL": claims(sub="me\0"),
    "sub with a newline": claims(sub="me\n"),
    "sub a lone surrogate": claims(sub="\ud800"),
    "sub in capitals": signed(claims={**{k: v for k, v in CLAIMS.items() if k != "sub"}, "Sub": "me"}),
    "sub too long": claims(sub="m" * 129),
    "plan unknown": claims(plan="gold"),
    "plan a list": claims(plan=["partner"]),
    "svc a text": claims(svc="true"),
    "svc 1": claims(svc=1),
    "a key twice": signed(raw=json.dumps(CLAIMS).replace('"sub": "me"', '"sub": "you", "sub": "me"').encode()),
    "payload a list": signed(claims=[CLAIMS]),
    "payload no JSON": signed(raw=b"{"),
    "payload not UTF-8": signed(raw=b'{"sub": "\xff"}'),
    "payload UTF-16": signed(raw=json.dumps(CLAIMS).encode("utf-16")),
    "10 kB": signed(claims={**CLAIMS, "pad": "p" * 10_000}),
    "100 kB": f"{'A' * 100_000}.A.A",
    "letters of elsewhere": GOOD.replace("A", "А"),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_d2_every_forgery_is_unauthenticated_in_the_same_words(verifier, name, monkeypatch):
    def no_network(*_: object) -> None:
        raise AssertionError("verifying a token went to the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(errors.Unauthenticated) as refused:
        await verifier.verify(FORGERIES[name])
    assert errors.to_status(refused.value) == errors.to_status(errors.Unauthenticated())


async def test_d2_the_token_that_the_forgeries_imitate_is_valid(verifier):
    identity = await verifier.verify(GOOD)
    assert (identity.user_id, identity.kind, identity.plan_slug) == ("me", Kind.USER, None)
    assert identity.expire_time == NOW + timedelta(seconds=600)


@pytest.mark.parametrize("change", [{"exp": AT - 59}, {"iat": AT + 59}, {"nbf": AT + 59}])
async def test_d2_up_to_60_seconds_of_skew_are_forgiven(verifier, change):
    start = {"iat": AT - 600} if "exp" in change else {}
    assert (await verifier.verify(claims(**start, **change))).user_id == "me"


async def test_an_issued_token_speaks_for_its_user_and_plan(verifier):
    issued = tokens.issue_development_token(KEY, user_id="ann", plan_slug="partner", lifetime=90, now=NOW)
    identity = await verifier.verify(issued.token)
    assert (identity.user_id, identity.kind, identity.plan_slug) == ("ann", Kind.USER, "partner")
    assert identity.expire_time == issued.expire_time == NOW + timedelta(seconds=90)


async def test_a_service_token_speaks_for_a_service(verifier):
    issued = tokens.issue_service_token(KEY, service="gateway", lifetime=90, now=NOW)
    identity = await verifier.verify(issued.token)
    assert (identity.user_id, identity.kind, identity.subject) == ("gateway", Kind.SERVICE, "service:gateway")


def test_a_token_is_not_shown_by_its_repr():
    issued = tokens.issue_service_token(KEY, service="gateway", lifetime=90, now=NOW)
    assert issued.token not in repr(issued)


@pytest.mark.parametrize(
    ("user", "plan", "field"), [("", None, "user_id"), ("a b", None, "user_id"), ("me", "x", "plan")]
)
def test_no_token_is_issued_that_would_not_be_accepted(user, plan, field):
    with pytest.raises(errors.InvalidRequest) as refused:
        tokens.issue_development_token(KEY, user_id=user, plan_slug=plan, lifetime=90, now=NOW)
    assert list(refused.value.violations) == [field]
