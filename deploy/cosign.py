#!/usr/bin/env python3
"""A supervision group's own signature under the county's log; runs on the group's own machine.

Needs Python and PyNaCl (pip install pynacl), nothing of Yanlu.

  python3 cosign.py new NAME                      make the group's key (cosign-key.json, keep it
                                                  safe) and print its public half for the county
  python3 cosign.py sign ADDRESS COUNTY_KEY       look at ADDRESS/log/checkpoint, check that it is
                                                  the county's and only added to what was signed
                                                  before, sign it, write cosigned.txt
Then hand cosigned.txt to the county: flask --app app add-cosignatures cosigned.txt

It refuses, and says so loudly, when the county shows another log than last time: that is the whole
point. Formats: C2SP signed-note, tlog-checkpoint, tlog-cosignature.
"""

import base64
import datetime as dt
import hashlib
import json
import os
import sys
import urllib.request

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

KEY_FILE, COSIGNED = "cosign-key.json", "cosigned.txt"
ED25519, COSIGNATURE = 1, 4


def key_id(name, algorithm, public_key):
    seed = name.encode() + b"\n" + bytes([algorithm]) + public_key
    return hashlib.sha256(seed).digest()[:4]


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def verify_consistency(old, old_root, new, new_root, proof):
    """RFC 9162, 2.1.4.2."""
    if old in (0, new):
        return not proof and (old == 0 or old_root == new_root)
    path = ([old_root] if old & (old - 1) == 0 else []) + proof
    if not 0 < old < new or not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def new(name):
    """Make a key; never over another."""
    key = SigningKey.generate()
    handle = os.open(KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"name": name, "seed": bytes(key).hex(), "size": 0, "root": ""}, file)
    public_key = bytes(key.verify_key)
    packed = base64.b64encode(bytes([COSIGNATURE]) + public_key).decode()
    print(f"{name}+{key_id(name, COSIGNATURE, public_key).hex()}+{packed}")


def read_checkpoint(text, county_key):
    """Body, size and root of a checkpoint that the county signed; ends the program otherwise."""
    name, _, rest = county_key.partition("+")
    raw_key = base64.b64decode(rest.partition("+")[2])
    body, _, lines = text.partition("\n\n")
    body += "\n"
    for line in lines.splitlines():
        dash, signer, packed = [*line.split(" "), "", ""][:3]
        raw = base64.b64decode(packed or "")
        if dash == "—" and signer == name and raw[:4] == key_id(name, ED25519, raw_key[1:]):
            try:
                VerifyKey(raw_key[1:]).verify(body.encode(), raw[4:])
            except BadSignatureError:
                continue
            origin, size, root = body.split("\n")[:3]
            if origin == name:
                return body, int(size), base64.b64decode(root)
    sys.exit("REFUSED: the checkpoint isn't signed with the county's key 日志头不是县里签的")


def fetch(address):
    if not address.startswith(("https://", "http://")):
        sys.exit("ADDRESS begins with https://")
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read(1_000_000).decode()


def sign(address, county_key):
    """Check the newest checkpoint against the last one signed, then sign it."""
    with open(KEY_FILE) as file:
        state = json.load(file)
    text = fetch(f"{address}/log/checkpoint")
    body, size, root = read_checkpoint(text, county_key)
    if size < state["size"]:
        sys.exit("REFUSED: the log is shorter than what was signed before 日志比上次签的短了")
    if 0 < state["size"] < size:
        proof = json.loads(fetch(f"{address}/log/consistency?from={state['size']}&to={size}"))
        proof = [bytes.fromhex(step) for step in proof]
    else:
        proof = []
    if not verify_consistency(state["size"], bytes.fromhex(state["root"]), size, root, proof):
        sys.exit("REFUSED: this isn't the log that was signed before 不是上次签的那本日志")
    key = SigningKey(bytes.fromhex(state["seed"]))
    today = dt.datetime.now(dt.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    at = int(today.timestamp())  # the day is enough
    signed = key.sign(f"cosignature/v1\ntime {at}\n{body}".encode()).signature
    id_ = key_id(state["name"], COSIGNATURE, bytes(key.verify_key))
    packed = base64.b64encode(id_ + at.to_bytes(8, "big") + signed).decode()
    with open(COSIGNED, "w", encoding="utf-8") as file:
        file.write(f"{body}\n— {state['name']} {packed}\n")
    state.update(size=size, root=root.hex())
    with open(KEY_FILE + ".new", "w") as file:
        json.dump(state, file)
    os.chmod(KEY_FILE + ".new", 0o600)
    os.replace(KEY_FILE + ".new", KEY_FILE)
    print(f"signed the log of {size} leaves; see {COSIGNED}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "new":
        new(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "sign":
        sign(sys.argv[2].rstrip("/"), sys.argv[3])
    else:
        sys.exit(__doc__)
