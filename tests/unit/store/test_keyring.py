from __future__ import annotations

import base64
import hmac
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.security.keyring import Keyring, KeyringError

PLACE = b"cases|document|1"


def test_what_is_sealed_opens_at_its_place_only() -> None:
    keyring = Keyring.generate()
    sealed = keyring.seal(b"plain", PLACE)
    assert keyring.open(sealed, PLACE) == b"plain"
    with pytest.raises(KeyringError, match="wrong-key"):
        keyring.open(sealed, b"cases|document|2")


@given(st.binary(max_size=200), st.data())
def test_any_changed_byte_of_a_sealed_value_is_refused(plain: bytes, data: st.DataObject) -> None:
    keyring = Keyring.generate()
    sealed = bytearray(keyring.seal(plain, PLACE))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(KeyringError):
        keyring.open(bytes(sealed), PLACE)


def test_two_seals_of_one_value_differ() -> None:
    keyring = Keyring.generate()
    assert keyring.seal(b"same", PLACE) != keyring.seal(b"same", PLACE)


def test_after_rotation_old_values_open_and_new_ones_use_the_new_key() -> None:
    before = Keyring.generate()
    sealed = before.seal(b"old", PLACE)
    after = before.rotated()
    assert after.active != before.active
    assert after.open(sealed, PLACE) == b"old"
    assert after.key_of(after.seal(b"new", PLACE)) == after.active


def test_hashes_and_tokens_survive_rotation() -> None:
    before = Keyring.generate()
    after = Keyring.parse(before.rotated().to_text())
    assert after.lookup_hash("identifier", "x") == before.lookup_hash("identifier", "x")
    assert after.derive("token") == before.derive("token")


def test_hashes_differ_by_purpose_and_by_keyring() -> None:
    keyring = Keyring.generate()
    assert keyring.lookup_hash("a", "x") != keyring.lookup_hash("b", "x")
    assert keyring.lookup_hash("a", "x") != Keyring.generate().lookup_hash("a", "x")
    assert keyring.derive("lookup a") != keyring.lookup_hash("a", "")
    assert len(keyring.derive("a")) == len(keyring.lookup_hash("a", "x")) == 32


@given(st.binary(max_size=300))
def test_a_keyed_hash_is_hmac_sha256(value: bytes) -> None:
    keyring = Keyring({"a": bytes(32)}, bytes(32))
    key = keyring._derived("lookup purpose")
    assert keyring.lookup_hash("purpose", value) == hmac.digest(key, value, "sha256")


def test_a_forgotten_key_is_named_with_a_fix() -> None:
    before = Keyring.generate()
    sealed = before.seal(b"old", PLACE)
    after = before.rotated().without(before.active)
    with pytest.raises(KeyringError) as caught:
        after.open(sealed, PLACE)
    assert caught.value.code == "keyring.unknown-key"
    assert before.active in caught.value.message
    assert caught.value.fix


def test_the_active_key_cannot_be_forgotten() -> None:
    keyring = Keyring.generate()
    with pytest.raises(KeyringError, match="in-use"):
        keyring.without(keyring.active)


def test_text_reads_back_as_the_same_keyring() -> None:
    keyring = Keyring.generate().rotated()
    again = Keyring.parse("# a comment\n" + keyring.to_text())
    assert again.ids == keyring.ids
    assert again.open(keyring.seal(b"x", PLACE), PLACE) == b"x"
    assert again.derive("t") == keyring.derive("t")


def test_one_bare_key_is_a_keyring() -> None:
    text = base64.b64encode(os.urandom(32)).decode()
    one, two = Keyring.parse(text), Keyring.parse(text + "\n")
    assert one.ids == two.ids
    assert two.open(one.seal(b"x", PLACE), PLACE) == b"x"
    rotated = Keyring.parse(one.rotated().to_text())
    assert rotated.derive("t") == one.derive("t")


@pytest.mark.parametrize(
    "text",
    [
        "not base64 at all!",
        base64.b64encode(b"short").decode(),
        "bad/id:" + base64.b64encode(bytes(32)).decode(),
        "a:" + base64.b64encode(bytes(32)).decode() + " a:" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_a_malformed_keyring_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.parse(text)
    assert caught.value.code == "keyring.malformed"
    for word in text.split():
        assert word.partition(":")[2] not in str(caught.value) or ":" not in word


def test_an_empty_keyring_is_missing() -> None:
    with pytest.raises(KeyringError, match="missing"):
        Keyring.parse("# nothing here\n")


def test_a_file_reference_is_relative_to_its_base(tmp_path: Path) -> None:
    keyring = Keyring.generate()
    (tmp_path / "keyring").write_text(keyring.to_text())
    assert Keyring.load("file:keyring", base=tmp_path).ids == keyring.ids


def test_an_environment_reference_reads_commas() -> None:
    keyring = Keyring.generate().rotated()
    text = ",".join(keyring.to_text().split())
    assert Keyring.load("env:KEYS", environ={"KEYS": text}).ids == keyring.ids


@pytest.mark.parametrize("reference", ["file:absent", "env:ABSENT", "inline", "file:", ""])
def test_a_reference_that_leads_nowhere_has_a_fix(reference: str, tmp_path: Path) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.load(reference, base=tmp_path, environ={})
    assert caught.value.fix


def test_no_key_is_ever_shown_or_pickled() -> None:
    keyring = Keyring.generate()
    secrets = [line.partition(":")[2] for line in keyring.to_text().split()]
    assert not any(secret in repr(keyring) + str(keyring) for secret in secrets)
    with pytest.raises(TypeError):
        pickle.dumps(keyring)


@pytest.mark.parametrize("text", ["", "not base64!"])
def test_who_lost_the_key_of_a_store_is_not_told_to_make_another(text: str) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.parse(text)
    assert caught.value.fix.startswith("If anything is stored already, put your copy")
