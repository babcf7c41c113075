"""The tree: published vectors, the RFC's own definition as oracle, and forged proofs refused."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.transparency import merkle

# From the Certificate Transparency project's reference tests.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


# --- the oracle: RFC 9162, 2.1.1, 2.1.3.1 and 2.1.4.1 word for word ------------------------------


def largest(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    if not d:
        return hashlib.sha256().digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = largest(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = largest(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = largest(len(d))
    if m <= k:
        return [*subproof(m, d[:k], whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


# --- ours, with everything held in memory --------------------------------------------------------


class Tree:
    """What the database would keep."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
        self.peaks: list[bytes] = []
        self.nodes: dict[int, bytes] = {}
        self.size = 0

    def append(self, count: int) -> None:
        batch = self.hashes[self.size : self.size + count]
        for node, made in merkle.grow(self.size, self.peaks, batch):
            assert node.place == len(self.nodes) + 1
            self.nodes[node.place] = made
        self.size += len(batch)

    def spans(self, spans: list[merkle.Span]) -> list[bytes]:
        return [
            merkle.fold([
                self.nodes[n.place] if n.level else self.hashes[n.index]
                for n in merkle.cover(span)
            ])
            for span in spans
        ]  # fmt: skip

    def root(self, size: int) -> bytes:
        return self.spans([(0, size)])[0]


def tree_of(leaves: list[bytes]) -> Tree:
    tree = Tree(leaves)
    tree.append(len(leaves))
    return tree


def test_the_published_roots_and_proofs_come_out() -> None:
    tree = tree_of(LEAVES)
    assert merkle.EMPTY_ROOT == hashlib.sha256().digest() == tree.root(0)
    assert [tree.root(n).hex() for n in range(1, 9)] == ROOTS
    for (index, size), proof in INCLUSION.items():
        assert [p.hex() for p in tree.spans(merkle.inclusion_spans(index, size))] == proof
    for (old, new), proof in CONSISTENCY.items():
        assert [p.hex() for p in tree.spans(merkle.consistency_spans(old, new))] == proof


def test_every_proof_of_small_trees_is_the_rfcs_and_verifies() -> None:
    leaves = [f"leaf {n}".encode() for n in range(40)]
    tree = tree_of(leaves)
    for size in range(1, 41):
        root = mth(leaves[:size])
        assert tree.root(size) == root
        for index in range(size):
            proof = tree.spans(merkle.inclusion_spans(index, size))
            assert proof == path(index, leaves[:size])
            assert merkle.verify_inclusion(tree.hashes[index], index, size, proof, root)
        for old in range(1, size + 1):
            proof = tree.spans(merkle.consistency_spans(old, size))
            assert proof == subproof(old, leaves[:size], True)
            assert merkle.verify_consistency(old, mth(leaves[:old]), size, root, proof)


@given(st.integers(0, 300), st.lists(st.integers(0, 90), max_size=6), st.data())
def test_the_order_of_runs_doesnt_matter_only_the_leaves_do(
    seed: int, runs: list[int], data: st.DataObject
) -> None:
    leaves = [f"{seed} {n}".encode() for n in range(sum(runs))]
    tree = Tree(leaves)
    for run in runs:
        tree.append(run)
        assert merkle.fold(tree.peaks) == mth(leaves[: tree.size]) == tree.root(tree.size)
    if leaves:
        index = data.draw(st.integers(0, len(leaves) - 1))
        old = data.draw(st.integers(1, len(leaves)))
        assert tree.spans(merkle.inclusion_spans(index, len(leaves))) == path(index, leaves)
        assert tree.spans(merkle.consistency_spans(old, len(leaves))) == subproof(old, leaves, True)


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_there_is_no_proof_of_what_isnt_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_spans(index, size)
    assert not merkle.verify_inclusion(b"h" * 32, index, size, [], b"h" * 32)


def test_a_shrinking_tree_has_no_proof() -> None:
    with pytest.raises(ValueError, match="never shrinks"):
        merkle.consistency_spans(5, 4)
    assert not merkle.verify_consistency(5, b"a" * 32, 4, b"a" * 32, [])
    assert merkle.verify_consistency(0, merkle.EMPTY_ROOT, 3, b"a" * 32, [])
    assert not merkle.verify_consistency(0, b"a" * 32, 3, b"a" * 32, [])


def mutated(dice: random.Random, proof: list[bytes]) -> list[bytes]:
    """A proof that isn't this one."""
    forged = list(proof)
    kind = dice.randrange(5) if forged else 3
    at = dice.randrange(len(forged)) if forged else 0
    if kind == 0:
        bit = dice.randrange(256)
        number = int.from_bytes(forged[at], "big") ^ 1 << bit
        forged[at] = number.to_bytes(32, "big")
    elif kind == 1:
        del forged[at]
    elif kind == 2 and len(forged) > 1:
        other = (at + 1) % len(forged)
        forged[at], forged[other] = forged[other], forged[at]
    else:
        forged.insert(dice.randrange(len(forged) + 1), dice.randbytes(32))
    return forged


def test_ten_thousand_forged_proofs_are_refused() -> None:
    dice = random.Random(9162)
    leaves = [f"leaf {n}".encode() for n in range(200)]
    tree = tree_of(leaves)
    roots = [tree.root(n) for n in range(201)]
    refused = 0
    while refused < 10_000:
        size = dice.randrange(2, 201)
        index, old = dice.randrange(size), dice.randrange(1, size)
        proof = tree.spans(merkle.inclusion_spans(index, size))
        hashed, root = tree.hashes[index], roots[size]
        other = dice.choice([n for n in (index - 1, index + 1, index ^ 1) if n != index])
        forged = mutated(dice, proof)
        assert not merkle.verify_inclusion(hashed, index, size, forged, root)
        assert not merkle.verify_inclusion(hashed, other, size, proof, root)
        assert not merkle.verify_inclusion(dice.randbytes(32), index, size, proof, root)
        assert not merkle.verify_inclusion(hashed, index, size, proof, dice.randbytes(32))
        steps = tree.spans(merkle.consistency_spans(old, size))
        bad = mutated(dice, steps)
        assert not merkle.verify_consistency(old, roots[old], size, root, bad)
        assert not merkle.verify_consistency(old, dice.randbytes(32), size, root, steps)
        assert not merkle.verify_consistency(old, roots[old], size, dice.randbytes(32), steps)
        refused += 7
