"""Receipt codes, derivation, padding, sealing, commitments."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import crypto

PAYLOADS = st.integers(0, 10**20 - 1)


@given(PAYLOADS)
def test_a_code_survives_its_display_and_full_width_digits(payload: int) -> None:
    code = crypto.format_code(payload)
    assert len(code) == 22
    shown = crypto.display_code(code)
    assert [len(part) for part in shown.split("-")] == [4, 4, 4, 4, 4, 2]
    wide = shown.translate(str.maketrans("0123456789-", "０１２３４５６７８９－"))
    for typed in (
        code,
        shown,
        wide,
        f" {shown[:9]}\r\n{shown[9:]} ",
        shown.replace("-", " \u200b"),
    ):
        assert crypto.parse_code(typed) == code


@given(PAYLOADS, st.integers(0, 21), st.integers(1, 9))
def test_every_single_wrong_digit_is_told(payload: int, place: int, shift: int) -> None:
    code = crypto.format_code(payload)
    wrong = code[:place] + str((int(code[place]) + shift) % 10) + code[place + 1 :]
    with pytest.raises(crypto.MistypedCodeError):
        crypto.parse_code(wrong)


@given(PAYLOADS, st.integers(0, 20))
def test_every_swap_of_neighbours_is_told(payload: int, place: int) -> None:
    code = crypto.format_code(payload)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if swapped != code:
        with pytest.raises(crypto.MistypedCodeError):
            crypto.parse_code(swapped)


@given(st.text(max_size=300))
def test_what_is_typed_is_a_code_or_is_refused(typed: str) -> None:
    try:
        code = crypto.parse_code(typed)
    except crypto.MistypedCodeError:
        return
    assert len(code) == 22
    assert int(code) % 97 == 1


@given(PAYLOADS, st.text(max_size=20), st.text(max_size=20))
def test_a_text_with_a_code_in_it_is_recognised(payload: int, before: str, after: str) -> None:
    shown = crypto.display_code(crypto.format_code(payload))
    assert crypto.contains_code(f"{before} {shown} {after}")


def test_everyday_numbers_are_no_codes() -> None:
    text = "2019年4月25日，身份证复印件要3份，电话0731-12345678，金额1234567.89元，共22份。"
    assert not crypto.contains_code(text)


def test_the_same_form_gives_the_same_code_and_any_change_another() -> None:
    secret, ticket = bytes(32), bytes(16)
    code = crypto.derive_code(secret, ticket, 0, b"a", b"bc")
    assert code == crypto.derive_code(secret, ticket, 0, b"a", b"bc")
    others = {
        crypto.derive_code(secret, ticket, 1, b"a", b"bc"),
        crypto.derive_code(secret, ticket, 0, b"ab", b"c"),
        crypto.derive_code(secret, b"\1" * 16, 0, b"a", b"bc"),
        crypto.derive_code(b"\1" * 32, ticket, 0, b"a", b"bc"),
    }
    assert len(others) == 4
    assert code not in others


def test_a_receipts_keys_are_independent_and_depend_on_pepper_and_salt() -> None:
    code = crypto.format_code(7)
    keys = crypto.receipt_keys(code, b"p" * 32, b"s" * 32)
    parts = [keys.pool_id, keys.lookup_id, keys.nonce, keys.private_key, keys.ikm]
    parts += [keys.act_pool_id("2026-W48", i) for i in range(8)]
    assert len(set(parts)) == len(parts)
    assert crypto.receipt_keys(code, b"q" * 32, b"s" * 32).ikm != keys.ikm
    assert crypto.receipt_keys(code, b"p" * 32, b"t" * 32).ikm != keys.ikm


def test_hkdf_agrees_with_rfc_5869_case_3() -> None:
    expected = (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )
    assert crypto.hkdf(b"\x0b" * 22, "", 42).hex() == expected


@given(st.binary(max_size=5000))
def test_padding_hides_all_but_the_size_class(data: bytes) -> None:
    padded = crypto.pad_to_class(data)
    assert len(padded) in crypto.SIZE_CLASSES
    assert crypto.unpad(padded) == data


def test_what_is_too_large_for_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="largest"):
        crypto.pad_to_class(bytes(crypto.SIZE_CLASSES[-1]))


@given(st.binary(max_size=200))
def test_only_the_private_half_opens_and_nothing_altered_opens(data: bytes) -> None:
    private, other = crypto.new_private_key(), crypto.new_private_key()
    sealed = crypto.seal_to(crypto.public_key_of(private), data)
    assert crypto.unseal(private, sealed) == data
    with pytest.raises(crypto.SealError):
        crypto.unseal(other, sealed)
    for place in (0, len(sealed) // 2, len(sealed) - 1):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(crypto.SealError):
            crypto.unseal(private, bytes(altered))


def test_a_commitment_is_as_the_design_says_and_hides_the_text() -> None:
    nonce = b"n" * 32
    text = hashlib.sha256("路灯坏了".encode()).digest()
    files = hashlib.sha256(b"").digest()
    expected = hmac.new(nonce, text + files, hashlib.sha256).digest()
    assert crypto.commitment(nonce, "路灯坏了", []) == expected
    assert crypto.commitment(b"m" * 32, "路灯坏了", []) != expected
    assert crypto.drop_leaf(expected) == b"S1" + expected


def test_a_signature_is_the_countys_or_none() -> None:
    seed = b"s" * 32
    signature = crypto.sign(seed, b"promise")
    assert crypto.verify(crypto.verify_key(seed), b"promise", signature)
    assert not crypto.verify(crypto.verify_key(seed), b"promises", signature)
    assert not crypto.verify(crypto.verify_key(b"t" * 32), b"promise", signature)
    assert not crypto.verify(crypto.verify_key(seed), b"promise", b"short")
