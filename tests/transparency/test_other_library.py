"""What is served, held against somebody else's tree: pymerkle, which shares no line with ours."""

from __future__ import annotations

import random

import pytest
from pymerkle import InmemoryTree, InvalidProof
from pymerkle.proof import ConsistencyProof, InclusionProof

from app.transparency import merkle, note
from tests.transparency.conftest import LogInHand
from tests.transparency.test_merkle import mutated, tree_of


def their_tree(leaves: list[bytes]) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry(leaf)
    return tree


def as_rfc(proof: ConsistencyProof) -> list[bytes]:
    """Their consistency proof as RFC 9162 writes it.

    They take what is new beside the old tree apart down to its first leaf; the RFC has one hash
    there. And where the old tree is one full subtree, the RFC leaves its root out: it is known.
    """
    if proof.prior_size == proof.size:
        return []
    path: list[bytes] = list(proof.path)
    old = proof.subset.index(1)
    if old:
        new = path[0]
        for right, step in zip(proof.rule[:old], path[1:old], strict=False):
            pair = (step, new) if right else (new, step)
            new = proof.hasher.hash_pair(*pair)
        path[: old + 1] = [path[old], new]
    return path[1:] if proof.prior_size.bit_count() == 1 else path


def test_roots_and_every_proof_of_small_trees_are_theirs() -> None:
    leaves = [f"leaf {n}".encode() for n in range(70)]
    ours, theirs = tree_of(leaves), their_tree(leaves)
    for size in range(1, 71):
        assert ours.root(size) == theirs.get_root(size)
        for index in range(size):
            proof = theirs.prove_inclusion(index + 1, size)
            assert ours.spans(merkle.inclusion_spans(index, size)) == proof.path[1:]
        for old in range(1, size + 1):
            proof = theirs.prove_consistency(old, size)
            assert ours.spans(merkle.consistency_spans(old, size)) == as_rfc(proof)


def test_what_the_addresses_serve_is_what_they_compute_from_the_leaves(in_hand: LogInHand) -> None:
    sizes = [in_hand.day(count).size for count in (1, 4, 0, 27, 1, 66, 50)]
    client = in_hand.app.test_client()
    entries = client.get("/log/entries?start=0&end=1000").get_json()["entries"]
    theirs = their_tree([bytes.fromhex(entry) for entry in entries])
    read = note.read_checkpoint(client.get("/log/checkpoint").get_data(as_text=True))
    assert read is not None
    assert (read.size, read.root) == (len(entries), theirs.get_root())
    for size in {size for size in sizes if size > 1}:
        for index in {0, size // 3, size - 1}:
            served = client.get(f"/log/proof?leaf={entries[index]}&size={size}").get_json()
            proof = theirs.prove_inclusion(index + 1, size)
            assert served == [step.hex() for step in proof.path[1:]]
        for old in (old for old in sizes if old <= size):
            served = client.get(f"/log/consistency?from={old}&to={size}").get_json()
            assert served == [step.hex() for step in as_rfc(theirs.prove_consistency(old, size))]


def test_their_judgement_of_good_and_forged_proofs_is_ours() -> None:
    dice = random.Random(6962)
    leaves = [f"leaf {n}".encode() for n in range(200)]
    ours, theirs = tree_of(leaves), their_tree(leaves)
    for _ in range(1500):
        size = dice.randrange(2, 201)
        index = dice.randrange(size)
        honest = ours.spans(merkle.inclusion_spans(index, size))
        steps = dice.choice([honest, mutated(dice, honest)])
        hashed, root = ours.hashes[index], theirs.get_root(size)
        layout = theirs.prove_inclusion(index + 1, size)
        proof = InclusionProof("sha256", True, size, index + 1, layout.rule, [hashed, *steps])
        held = merkle.verify_inclusion(hashed, index, size, steps, root)
        assert held is (steps == honest)
        if held:
            proof.verify(hashed, root)
        else:
            with pytest.raises(InvalidProof):
                proof.verify(hashed, root)
