"""The key that signs and verifies development tokens, and the token files of one machine.

Files are made whole or not at all, readable by their owner only; who comes second uses what the first one made.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_BITS = 2048


class KeyUnusableError(Exception):
    """A key or its configuration cannot be used; the text says what to change."""


def key_path(data: Path) -> Path:
    """Returns where a data folder keeps its development key."""
    return data / "keys" / "development.pem"


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """Returns the key in a PEM file.

    Raises:
        KeyUnusableError: The file is missing, readable by others, or holds no RSA key of 2048 bits or more.
    """
    try:
        mode, pem = path.stat().st_mode, path.read_bytes()
    except OSError as fault:
        raise KeyUnusableError(
            f"The key file {path} cannot be read ({fault.strerror}). Make it with `cofounder-server keys`."
        ) from fault
    if stat.S_IMODE(mode) & 0o077:
        raise KeyUnusableError(f"Others may read the key file {path}, so it is not used. Run `chmod 600` on it.")
    with suppress(ValueError, TypeError):
        key = serialization.load_pem_private_key(pem, password=None)
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= KEY_BITS:
            return key
    raise KeyUnusableError(
        f"The file {path} holds no unencrypted RSA key of {KEY_BITS} bits or more. "
        "Remove it and run `cofounder-server keys`."
    )


def ensure_key(path: Path) -> rsa.RSAPrivateKey:
    """Returns the key in `path`, which is made first if there is none."""
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with suppress(FileExistsError):
            write_private(path, pem, replace=False)
    return load_key(path)


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Writes a file of mode 0600 in one step, so that no reader ever sees half of it.

    Raises:
        FileExistsError: It is there already, and `replace` is false.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            partial.replace(path)
        else:
            # A link, unlike a rename, fails if somebody else was first.
            path.hardlink_to(partial)
    finally:
        partial.unlink(missing_ok=True)


def development_key(*, production: bool, key_file: Path | None, data: Path) -> rsa.RSAPrivateKey:
    """Returns the key that development tokens are verified with, made if it is the data folder's own.

    Raises:
        KeyUnusableError: The server runs in production, which accepts no development tokens; or the key is unusable.
    """
    if production:
        raise KeyUnusableError(
            "COFOUNDER_ENV is production, where development tokens are refused, and no issuer of tokens is configured"
            f"{' (COFOUNDER_KEY_FILE is set: unset it)' if key_file else ''}. "
            "Configure your identity provider, or set COFOUNDER_ENV=development on a machine of your own."
        )
    return load_key(key_file) if key_file else ensure_key(key_path(data))
