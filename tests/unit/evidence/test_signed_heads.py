from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.domain.errors import InvalidSettings, Refused
from bot.domain.findings import Point
from bot.evidence.signed_heads import Signer, key_id, make_key_pair, public_keys, read_heads

HEAD = Point(42, "9b" * 32)
AT = "2026-01-31T09:30:00.000000Z"


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_a_signed_head_is_read_back_by_whoever_has_the_public_key(tmp_path: Path) -> None:
    private, public = make_key_pair()
    witnessed = read_heads(write(tmp_path / "heads.jsonl", Signer(private)(HEAD, AT)), public_keys([public]))
    assert witnessed.faults == []
    (one,) = witnessed.attestations
    assert (one.seq, one.hash, one.source) == (42, HEAD.hash, "heads.jsonl, line 1,")


def test_a_third_party_checks_the_line_as_the_documents_say() -> None:
    private, public = make_key_pair()
    told = json.loads(Signer(private)(HEAD, AT))
    signature = base64.b64decode(told.pop("signature"))
    assert told == {
        "type": "workflow-bot audit head",
        "v": 1,
        "seq": 42,
        "hash": HEAD.hash,
        "at": AT,
        "key": key_id(public),
    }
    Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(signature, rfc8785.dumps(told))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda line: line.replace('"seq": 42', '"seq": 41'), "its signature is not that of its key"),
        (lambda line: line.replace("9b9b", "9c9c"), "its signature is not that of its key"),
        (lambda line: line.replace('"seq": 42', '"seq": "x"'), "it is no head"),
        (lambda line: line.replace("audit head", "other head"), "it is no head"),
        (lambda line: line[:40], "it is no head"),
        (lambda line: "[]", "it is no head"),
        (lambda line: "null", "it is no head"),
        (lambda line: '{"signature": "AAAA"}', "it is no head"),
        (lambda line: Signer(make_key_pair()[0])(HEAD, AT), "it is signed with a key that was not given"),
    ],
)
def test_a_line_that_was_changed_or_made_up_is_a_fault_with_its_number(
    tmp_path: Path, spoil: object, fault: str
) -> None:
    private, public = make_key_pair()
    good = Signer(private)(HEAD, AT)
    assert callable(spoil)
    witnessed = read_heads(write(tmp_path / "heads.jsonl", good, spoil(good)), public_keys([public]))
    assert len(witnessed.attestations) == 1
    (found,) = witnessed.faults
    assert found.startswith(f"heads.jsonl, line 2: {fault}")


def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    _, public = make_key_pair()
    assert list(public_keys([str(write(tmp_path / "public.key", public)), public])) == [key_id(public)]


@pytest.mark.parametrize("text", ["", "not base64!", "c2hvcnQ=", base64.b64encode(bytes(33)).decode()])
def test_what_is_no_key_is_said_so_without_quoting_it(text: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        Signer(text)
    assert "AUDIT_SIGNING_KEY is no Ed25519 key" in str(error.value)
    assert not text or text not in str(error.value)


def test_a_witness_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="can't be read"):
        read_heads(tmp_path / "none.jsonl", {})
