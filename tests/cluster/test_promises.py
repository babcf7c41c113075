"""What the cluster's test would notice, and what its templates may not keep."""

from __future__ import annotations

import math
import re

import sqlalchemy as sa

from config import read_database_url
from tests.attack.stack import ROOT
from tests.cluster.audit import Found, compare
from tests.cluster.faults import refusal
from tests.cluster.load import Attempt
from tests.cluster.stack import read_settings

DEPLOYED = ROOT / "deploy/cluster"


def lines_of(name: str) -> list[str]:
    text = (DEPLOYED / name).read_text("utf-8")
    return [re.sub(r"\s+#.*", "", line) for line in text.splitlines() if line.strip()[:1] != "#"]


def test_what_is_missing_and_what_is_there_twice_is_counted() -> None:
    assert compare(["一", "二"], ["一", "二"]) == (0, 0)
    assert compare(["一", "二"], ["二"]) == (1, 0)
    assert compare(["一", "二"], ["一", "二", "二"]) == (0, 1)
    assert not Found(lost=1).held
    assert not Found(doubled=1).held
    assert not Found(wrong=["unkind"]).held


def test_a_refusal_lasts_until_one_of_its_kind_is_taken_in() -> None:
    def tried(began: float, ended: float, kind: str, *, served: bool) -> Attempt:
        return Attempt(began, ended, kind, served, kindly=True)

    calm = [tried(0, 1, "drop", served=True), tried(9, 10, "drop", served=True)]
    assert refusal(calm) == 0
    ballots = [tried(2, 3, "ballot", served=True), tried(4, 5, "ballot", served=True)]
    assert refusal([*calm, *ballots, tried(2, 8, "drop", served=False)]) == 8
    assert refusal([*ballots, tried(2, 8, "drop", served=False)]) == math.inf


def test_a_commit_lies_on_two_machines_and_nothing_may_cut_its_wait_short() -> None:
    settings = {line.strip() for line in lines_of("patroni.yml")}
    assert {"synchronous_mode: true", "synchronous_mode_strict: true"} <= settings
    assert "statement_timeout: 0" in settings
    url = read_settings(DEPLOYED / "yanlu.env")["DATABASE_URL"]
    assert "timeout" not in url.replace("tcp_user_timeout=", "")


def test_the_application_looks_for_the_leader_among_all_three() -> None:
    url = sa.make_url(read_database_url(read_settings(DEPLOYED / "yanlu.env")["DATABASE_URL"], ""))
    assert url.query["host"] == "10.77.0.1,10.77.0.2,10.77.0.3"
    assert url.query["target_session_attrs"] == "read-write"


def test_the_cluster_keeps_no_more_than_one_machine_does() -> None:
    patroni = "\n".join(lines_of("patroni.yml"))
    assert "custom_conf: /etc/yanlu/postgresql.conf" in patroni
    assert not re.search(r"\b(log_|archive|track_commit|shared_preload|recovery_target)", patroni)
    assert re.search(r"max_slot_wal_keep_size: 256MB", patroni)
    haproxy = "\n".join(lines_of("haproxy.cfg"))
    assert not re.search(r"\b(log|stick|cookie|stats|forwardfor|capture)\b", haproxy)
