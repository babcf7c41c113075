"""Settings: read once, validated, refused with one sentence; secrets made once, for nobody else."""

from __future__ import annotations

import datetime as dt
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from config import Config, ConfigError, Secrets

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "８０００"),
        ("OPENING_HOUR", "24"),
        ("MIXING_THRESHOLD", "0"),
        ("THREAD_MONTHS", "23"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../etc"),
        ("DATABASE_URL", "mysql://u:geheim@h/d"),
        ("DATABASE_URL", "postgresql://u:geheim@host:port/d"),
        ("DATABASE_POOL", "1"),
        ("LIMITS", "perhaps"),
        ("LOG_ORIGIN", "two words"),
        ("DATA_DIR", "/proc/nowhere"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_in_one_sentence(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(ConfigError) as told:
        Config.from_environ({"DATA_DIR": str(tmp_path), name: value})
    assert name in str(told.value)
    assert "geheim" not in str(told.value)


def test_limits_go_off_on_loopback_only(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), "LIMITS": "off"}
    assert not Config.from_environ(environ).limits
    with pytest.raises(ConfigError, match="loopback"):
        Config.from_environ({**environ, "HOST": "0.0.0.0"})


def test_a_postgresql_url_gets_its_driver(tmp_path: Path) -> None:
    for scheme in ("postgres", "postgresql"):
        environ = {"DATA_DIR": str(tmp_path), "DATABASE_URL": f"{scheme}://u@h/d"}
        assert Config.from_environ(environ).database_url == "postgresql+psycopg://u@h/d"


@pytest.mark.parametrize(
    ("given", "hosts", "ports"),
    [
        ("postgresql://u:p%40s@a:5432,b:5433/d", "a,b", "5432,5433"),
        ("postgresql://u:p%40s@/d?host=a:5432&host=b", "a,b", "5432,5432"),
        ("postgresql://u:p%40s@/d?host=a,b&port=1,2", "a,b", "1,2"),
        ("postgresql://u:p%40s@[::1]:5432,b/d?sslmode=require", "::1,b", "5432,5432"),
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_asked_for(
    tmp_path: Path, given: str, hosts: str, ports: str
) -> None:
    url = Config.from_environ({"DATA_DIR": str(tmp_path), "DATABASE_URL": given}).database_url
    told = sa.create_engine(url).dialect.create_connect_args(sa.make_url(url))[1]
    assert (told["host"], told["port"]) == (hosts, ports)
    assert (told["dbname"], told["user"], told["password"]) == ("d", "u", "p@s")
    assert told["target_session_attrs"] == "read-write"
    asked = f"{given}{'&' if '?' in given else '?'}target_session_attrs=any"
    url = Config.from_environ({"DATA_DIR": str(tmp_path), "DATABASE_URL": asked}).database_url
    assert sa.make_url(url).query["target_session_attrs"] == "any"


def test_secrets_are_made_once_by_whoever_is_first_and_for_nobody_else(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Secrets.load(tmp_path), range(16)))
    assert all(secrets == made[0] for secrets in made)
    file = tmp_path / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]
    for value in (made[0].pepper, made[0].instance_secret):
        assert value.hex() not in repr(made[0])


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"pepper": "00"}'])
def test_damaged_secrets_are_never_replaced_by_new_ones(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="secrets"):
        Secrets.load(tmp_path)
    assert file.read_text() == content


def test_a_command_with_a_bad_setting_ends_with_the_sentence_alone(tmp_path: Path) -> None:
    environ = {**os.environ, "DATA_DIR": str(tmp_path), "PORT": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "init"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.startswith("yanlu: PORT is 'x'")
    assert "Traceback" not in done.stderr


def test_the_operators_calendar_is_read_and_its_faults_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text("\ufeff# 2027\n2027-02-17,off\n2027-02-20,班\n", "utf-8")
    read = Config.from_environ({"DATA_DIR": str(tmp_path)}).calendar
    assert read == {dt.date(2027, 2, 17): False, dt.date(2027, 2, 20): True}
    for bad in ("2027-02-30,off", "2027-02-17", "2027-02-17,maybe", "x,work"):
        path.write_text(f"2027-02-16,off\n{bad}\n", "utf-8")
        with pytest.raises(ConfigError, match="line 2"):
            Config.from_environ({"DATA_DIR": str(tmp_path)})
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        Config.from_environ({"DATA_DIR": str(tmp_path)})
