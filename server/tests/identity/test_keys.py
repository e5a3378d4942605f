"""The keys of one machine: private, made once, refused in production."""

import asyncio
import concurrent.futures
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cofounder_server import clock
from cofounder_server.identity import keys, machine_keys, tokens
from cofounder_server.identity.caller import Kind


def verifier(key: rsa.RSAPrivateKey) -> tokens.DevelopmentVerifier:
    return tokens.DevelopmentVerifier(key.public_key(), wall=clock.WallClock())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


async def test_a_machine_gets_a_key_and_tokens_that_fit_it_readable_by_nobody_else(tmp_path: Path):
    key = machine_keys.ensure_keys(tmp_path)
    folder = tmp_path / "keys"
    assert sorted(path.name for path in folder.iterdir()) == ["development.pem", "gateway.token", "me.token"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    gateway = await verifier(key).verify((folder / "gateway.token").read_text().strip())
    me = await verifier(key).verify((folder / "me.token").read_text().strip())
    assert (gateway.kind, gateway.user_id) == (Kind.SERVICE, "gateway")
    assert (me.kind, me.user_id, me.plan_slug) == (Kind.USER, "me", "cto_scale")


def test_what_is_there_already_is_kept(tmp_path: Path):
    machine_keys.ensure_keys(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    machine_keys.ensure_keys(tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == before


async def test_a_token_of_a_former_key_is_made_anew(tmp_path: Path):
    machine_keys.ensure_keys(tmp_path)
    keys.key_path(tmp_path).unlink()
    key = machine_keys.ensure_keys(tmp_path)
    assert (await verifier(key).verify((tmp_path / "keys" / "me.token").read_text().strip())).user_id == "me"


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path):
    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda _: keys.ensure_key(keys.key_path(tmp_path)), range(6)))
    assert len({key.private_numbers().d for key in made}) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["development.pem"]


def test_production_refuses_development_tokens_and_says_what_to_configure(tmp_path: Path):
    path = keys.key_path(tmp_path)
    keys.ensure_key(path)
    for key_file in (None, path):
        with pytest.raises(keys.KeyUnusableError, match="Configure your identity provider"):
            keys.development_key(production=True, key_file=key_file, data=tmp_path)
    assert keys.development_key(production=False, key_file=None, data=tmp_path).key_size == 2048


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "cannot be read"),
        (b"", 0o600, "holds no unencrypted RSA key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), 0o600, "holds no unencrypted RSA key"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), 0o600, "holds no unencrypted RSA key"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)), 0o644, "Others may read"),
    ],
)
def test_a_key_file_that_cannot_be_trusted_is_refused_with_the_reason(tmp_path: Path, content, mode, words):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(keys.KeyUnusableError, match=words):
        keys.load_key(path)


async def test_keys_can_be_ensured_inside_a_running_loop(tmp_path: Path):
    await asyncio.sleep(0)
    assert machine_keys.ensure_keys(tmp_path)
