"""Pure cryptography: receipt codes, key derivation, padding, sealing, commitments, signatures.

Everything here is libsodium (through PyNaCl) or the standard library's HMAC and SHA-256; this
module only fixes how they are combined. No function reads a clock, a file or the network.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import nacl.bindings
import nacl.exceptions
import nacl.pwhash
import nacl.utils
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox
from nacl.signing import SigningKey, VerifyKey

KEY_BYTES = 32
CODE_DIGITS = 22
SIZE_CLASSES = tuple(kib * 1024 for kib in (1, 2, 4, 8, 21, 48))
LYING_BYTES = 24 * 1024

# Receipt codes have 66.4 random bits: opening any of 10,000 threads takes 10^16 guesses on average.
# Argon2id is bound by memory traffic: a card with 1 TB/s makes at most some 28,000 guesses a second
# at 12 MiB (three times that read and written for each), so that is over 11,000 years of one card,
# after the pepper was stolen too. It costs this server about 10 ms.
CODE_OPSLIMIT, CODE_MEMLIMIT = 1, 12 * 1024 * 1024
# A slip is good for days, and guessing has to find one before its round closes: at 4 MiB a card
# with 1 TB/s makes 84,000 guesses a second, which is over 180 years for one slip of 100,000, from a
# stolen list. It costs some 4 ms: 110,000 slips take minutes on an old laptop.
SLIP_OPSLIMIT, SLIP_MEMLIMIT = 1, 4 * 1024 * 1024
# Passwords are weaker than codes and are asked for once a session: 64 MiB, three passes.
PASSWORD_OPSLIMIT, PASSWORD_MEMLIMIT = 3, 64 * 1024 * 1024
# A process stretches so many at once: more than its processors are no quicker, and sixteen threads
# would take sixteen times the memory.
_CODES_AT_ONCE = threading.BoundedSemaphore(2)
_PASSWORDS_AT_ONCE = threading.BoundedSemaphore(1)


class SealError(Exception):
    """A ciphertext that this key doesn't open, or that was altered."""


class MistypedCodeError(ValueError):
    """Not the form of a receipt code, or the check digits say that a digit is wrong."""


# --- derivation -------------------------------------------------------------------------------


def hkdf(ikm: bytes, info: str, length: int = KEY_BYTES, salt: bytes = b"") -> bytes:
    """HKDF-SHA-256 (RFC 5869): an independent key for each `info`; `length` at most 8,160 bytes."""
    prk = hmac.digest(salt or bytes(32), ikm, "sha256")
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info.encode() + bytes([counter]), "sha256")
        out += block
    return out[:length]


def random_id() -> str:
    """A public id: 128 random bits in lowercase hex; never sequential."""
    return nacl.utils.random(16).hex()


# --- receipt codes ----------------------------------------------------------------------------


def format_code(payload: int) -> str:
    """The receipt code of a payload below 10^20, check digits added (ISO 7064 MOD 97-10)."""
    digits = f"{payload:020d}"
    check = 98 - int(digits) * 100 % 97
    return f"{digits}{check:02d}"


def display_code(code: str) -> str:
    """A code as it is shown and read out: 4-4-4-4-4-2."""
    return "-".join(code[i : i + 4] for i in range(0, CODE_DIGITS, 4))


def parse_code(typed: str) -> str:
    """The 22 digits of what somebody typed; spaces, hyphens, line breaks and full width accepted.

    Raises MistypedCodeError when it can't be a code: it costs nothing and tells nothing, since a
    wrong check digit says so without looking anything up.
    """
    if len(typed) > 200:
        raise MistypedCodeError
    digits = digits_of(typed)
    if not re.fullmatch(r"[0-9]{22}", digits) or int(digits) % 97 != 1:
        raise MistypedCodeError
    return digits


def digits_of(typed: str) -> str:
    """What was typed without what people put between digits; full width made plain."""
    # Cf: zero-width characters that come along with a pasted code.
    kept = (c for c in unicodedata.normalize("NFKC", typed) if unicodedata.category(c) != "Cf")
    return re.sub(r"[\s\-‐-―−_.·]", "", "".join(kept))


def contains_code(text: str) -> bool:
    """Whether a text holds 22 digits, however spaced, that could be somebody's receipt code."""
    normal = unicodedata.normalize("NFKC", text)
    kept = "".join(c for c in normal if unicodedata.category(c) != "Cf")
    for run in re.findall(r"[0-9](?:[\s\-‐-―−_.·]{0,3}[0-9]){21,}", kept):
        digits = re.sub(r"[^0-9]", "", run)
        starts = range(len(digits) - CODE_DIGITS + 1)
        if any(int(digits[i : i + CODE_DIGITS]) % 97 == 1 for i in starts):
            return True
    return False


def derive_code(instance_secret: bytes, ticket_id: bytes, attempt: int, *fields: bytes) -> str:
    """The code of one posted form: the same form gives the same code, a changed field another.

    `attempt` rises when the code's place in the pool holds something else.
    """
    key = hkdf(instance_secret, "yanlu receipt code")
    message = b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (ticket_id, attempt.to_bytes(4, "big"), *fields)
    )
    return format_code(int.from_bytes(hmac.digest(key, message, "sha256"), "big") % 10**20)


@dataclass(frozen=True)
class ReceiptKeys:
    """What a receipt code opens; all parts are independent (HKDF of one Argon2id)."""

    ikm: bytes

    @property
    def pool_id(self) -> bytes:
        """Where the drop lies in the box."""
        return hkdf(self.ikm, "pool")

    @property
    def lookup_id(self) -> bytes:
        """How the opened case is found."""
        return hkdf(self.ikm, "case")

    @property
    def nonce(self) -> bytes:
        """The nonce of the leaf's commitment."""
        return hkdf(self.ikm, "leaf")

    @property
    def private_key(self) -> bytes:
        """X25519: opens what is sealed to the receipt."""
        return hkdf(self.ikm, "receipt key")

    @property
    def public_key(self) -> bytes:
        """X25519: what the committee's messages are sealed to."""
        return bytes(PrivateKey(self.private_key).public_key)

    def act_pool_id(self, week: str, index: int) -> bytes:
        """Where a later act of this receipt lies; `week` is an ISO week, `index` below 8."""
        return hkdf(self.ikm, f"act {week} {index}")


def receipt_keys(code: str, pepper: bytes, site_salt: bytes) -> ReceiptKeys:
    """Stretch a code of 22 digits (Argon2id under the instance's pepper) into its keys."""
    salt = hmac.digest(pepper, b"receipt" + site_salt, "sha256")[:16]
    with _CODES_AT_ONCE:
        ikm = nacl.pwhash.argon2id.kdf(
            KEY_BYTES, code.encode("ascii"), salt, CODE_OPSLIMIT, CODE_MEMLIMIT
        )
    return ReceiptKeys(ikm)


def slip_hash(code: str, salt: bytes) -> bytes:
    """What a server knows of a slip: Argon2id(22 digits, the round's salt of 16 bytes)."""
    return nacl.pwhash.argon2id.kdf(
        KEY_BYTES, code.encode("ascii"), salt, SLIP_OPSLIMIT, SLIP_MEMLIMIT
    )


def stretch_password(password: str, pepper: bytes, salt: bytes) -> bytes:
    """The 32-byte master of a password: Argon2id(password keyed by the pepper, own salt)."""
    normal = unicodedata.normalize("NFKC", password).encode()
    keyed = hmac.digest(pepper, b"password" + normal, "sha256")
    with _PASSWORDS_AT_ONCE:
        return nacl.pwhash.argon2id.kdf(
            KEY_BYTES, keyed, salt, PASSWORD_OPSLIMIT, PASSWORD_MEMLIMIT
        )


# --- padding ----------------------------------------------------------------------------------


def pad(data: bytes, size: int) -> bytes:
    """`data` in exactly `size` bytes: its length in four bytes, itself, zeros."""
    if len(data) + 4 > size:
        raise ValueError("too large for its size class")
    return len(data).to_bytes(4, "big") + data + bytes(size - 4 - len(data))


def unpad(padded: bytes) -> bytes:
    """The data inside `pad`; raises SealError when the length can't be true."""
    length = int.from_bytes(padded[:4], "big")
    if length > len(padded) - 4:
        raise SealError
    return padded[4 : 4 + length]


def pad_to_class(data: bytes) -> bytes:
    """`data` padded to the smallest size class that holds it; ValueError over the largest."""
    for size in SIZE_CLASSES:
        if len(data) + 4 <= size:
            return pad(data, size)
    raise ValueError("larger than the largest size class")


# --- sealing ----------------------------------------------------------------------------------


def new_private_key() -> bytes:
    """A fresh X25519 private key."""
    return bytes(PrivateKey.generate())


def public_key_of(private_key: bytes) -> bytes:
    """The X25519 public half."""
    return bytes(PrivateKey(private_key).public_key)


def seal_to(public_key: bytes, data: bytes) -> bytes:
    """A libsodium sealed box: whoever holds the private half opens it; 48 bytes longer."""
    return bytes(SealedBox(PublicKey(public_key)).encrypt(data))


def unseal(private_key: bytes, sealed: bytes) -> bytes:
    """Open a sealed box; raises SealError."""
    try:
        return bytes(SealedBox(PrivateKey(private_key)).decrypt(sealed))
    except (nacl.exceptions.CryptoError, ValueError, TypeError):
        # `from None`: a traceback must not carry what was being opened.
        raise SealError from None


def unseal_each(private_key: bytes, sealed: Iterable[bytes]) -> Iterator[bytes | None]:
    """Open many sealed boxes of one key, a third faster than one by one; None for what isn't."""
    box = SealedBox(PrivateKey(private_key))
    for one in sealed:
        try:
            yield bytes(box.decrypt(one))
        except (nacl.exceptions.CryptoError, ValueError, TypeError):
            yield None


def split_key(key: bytes) -> tuple[bytes, bytes]:
    """A key in two halves (XOR) of which neither says anything about it."""
    half = nacl.utils.random(len(key))
    return half, joined_key(half, key)


def joined_key(half: bytes, other: bytes) -> bytes:
    """The key of two halves."""
    return bytes(a ^ b for a, b in zip(half, other, strict=True))


def encrypt(key: bytes, data: bytes) -> bytes:
    """XSalsa20-Poly1305 under a random nonce; 40 bytes longer."""
    return bytes(SecretBox(key).encrypt(data))


def decrypt(key: bytes, sealed: bytes) -> bytes:
    """Open `encrypt`; raises SealError."""
    try:
        return bytes(SecretBox(key).decrypt(sealed))
    except (nacl.exceptions.CryptoError, ValueError, TypeError):
        raise SealError from None


# --- commitments and signatures ---------------------------------------------------------------


def commitment(nonce: bytes, text: str, attachments: Iterable[bytes]) -> bytes:
    """C = HMAC(nonce, SHA256(text) || SHA256(attachment hashes)): hides what it commits to.

    `attachments` are SHA-256 hashes in the order of the form; the text is UTF-8 with LF.
    """
    return commitment_over(nonce, text, files_hash(attachments))


def files_hash(attachments: Iterable[bytes]) -> bytes:
    """What a commitment covers of the attachments: the hash of their hashes."""
    return hashlib.sha256(b"".join(attachments)).digest()


def commitment_over(nonce: bytes, text: str, files: bytes) -> bytes:
    """`commitment` for whoever has the `files_hash` and needn't open the attachments."""
    return hmac.digest(nonce, hashlib.sha256(text.encode()).digest() + files, "sha256")


def drop_leaf(committed: bytes) -> bytes:
    """The log's leaf of a drop: "S1" || C."""
    return b"S1" + committed


def decision_leaf(committed: bytes, outcome: str, reason: str, nonce: bytes) -> bytes:
    """The log's leaf of a decision: "D1" || C || outcome || H(reason || nonce)."""
    return b"D1" + committed + outcome.encode() + hashlib.sha256(reason.encode() + nonce).digest()


@lru_cache(maxsize=4)
def _signing_key(seed: bytes) -> SigningKey:
    # Cached: making the key costs as much as a signature. The county's own key, never a speaker's.
    return SigningKey(seed)


def sign(seed: bytes, message: bytes) -> bytes:
    """An Ed25519 signature by the county's key."""
    return bytes(_signing_key(seed).sign(message).signature)


def verify_key(seed: bytes) -> bytes:
    """The Ed25519 public key of the county's seed."""
    return bytes(_signing_key(seed).verify_key)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is the county's."""
    try:
        VerifyKey(public_key).verify(message, signature)
    except (nacl.exceptions.CryptoError, ValueError, TypeError):
        return False
    return True


def equal(a: bytes, b: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(a, b)
