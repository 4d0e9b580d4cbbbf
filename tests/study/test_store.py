import json
import math
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from penchant.errors import PenchantError
from penchant.study._results import Moment, Run
from penchant.study._store import MEMORY, VERSION, Store

RUN = Run(
    id="a1",
    signal="cat",
    design="relu+nerf",
    seed=3,
    status="diverged",
    steps=120,
    seconds=0.1 + 0.2,
    parameters=8707,
    settings={"activation": "relu", "scale": None, "learning_rate": 1e-3, "width": 64},
    metrics={"psnr_seen": 31.25, "ssim_held_out": math.nan},
    bands=(0.5, 1 / 3, math.inf),
    curve=(
        Moment(0, 0.0, {"psnr_seen": 5.0}, (1.0, 2.0)),
        Moment(120, 0.3, {"psnr_seen": math.nan}, ()),
    ),
)
NETWORK = bytes(range(256)) * 3


def same(one: Run, other: Run) -> bool:
    """Equal in every field and type, nan with nan: repr shows each float in full."""
    return repr(one) == repr(other)


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path: Path) -> Store:
    return Store(tmp_path / "study.db" if request.param == "file" else MEMORY)


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    store.add(RUN, NETWORK)
    assert same(store.run("a1"), RUN)
    assert store.network("a1") == NETWORK


def test_what_is_finished_is_known(store: Store) -> None:
    assert store.done() == set()
    store.add(RUN, NETWORK)
    store.add(replace(RUN, id="b2"), b"")
    store.add(replace(RUN, seed=4), NETWORK)  # done again: the newer record stays
    assert store.done() == {"a1", "b2"}
    assert store.run("a1").seed == 4


def test_facts_are_kept_and_replaced(store: Store) -> None:
    assert store.fact("plan") is None
    store.set_fact("plan", "{}")
    store.set_fact("plan", '{"seeds": 10}')
    assert store.fact("plan") == '{"seeds": 10}'


def test_a_checkpoint_stays_until_its_run_is_finished(store: Store) -> None:
    assert store.checkpoint("a1") is None
    store.set_checkpoint("a1", 10, b"early")
    store.set_checkpoint("a1", 20, b"late")
    store.set_checkpoint("b2", 5, b"other")
    assert store.checkpoint("a1") == (20, b"late")
    store.add(RUN, NETWORK)
    assert store.checkpoint("a1") is None
    assert store.checkpoint("b2") == (5, b"other")


def test_a_checkpoint_too_large_for_the_file_is_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.study._store.LARGEST", 5)
    store.set_checkpoint("a1", 10, b"large!")
    assert store.checkpoint("a1") is None
    store.set_checkpoint("a1", 10, b"small")
    assert store.checkpoint("a1") == (10, b"small")


def test_checkpoints_do_not_make_the_file_grow(tmp_path: Path) -> None:
    path, state = tmp_path / "study.db", bytes(1_000_000)
    store = Store(path)
    for run in range(3):
        for step in range(5):
            for id in (f"{run}", f"{run} beside it"):
                store.set_checkpoint(id, step, state)
        for id in (f"{run}", f"{run} beside it"):
            store.add(replace(RUN, id=id), state[:300_000])
    store.close()
    # Each network moves into its run's state; what is left of the last two is room for more.
    assert path.stat().st_size < 1.02 * (6 * 300_000 + 2 * 700_000)


def test_a_study_from_before_checkpoints_has_them_now(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    store = Store(path)
    store.add(RUN, NETWORK)
    store.database.execute("DROP TABLE checkpoints")
    store.close()
    store = Store(path)
    store.set_checkpoint("b2", 10, b"state")
    assert store.checkpoint("b2") == (10, b"state") and same(store.run("a1"), RUN)


def test_a_closed_store_is_one_file_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    store = Store(path)
    store.add(RUN, NETWORK)
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["study.db"]
    assert same(Store(path).run("a1"), RUN)


def refused(path: Path) -> str:
    with pytest.raises(PenchantError) as caught:
        Store(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_another_versions_study_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    assert f"another version of Penchant ({VERSION + 1})" in refused(path)
    assert sqlite3.connect(path).execute("SELECT * FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize("content", [b"a" * 5000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_study_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(content)
    refused(path)
    assert path.read_bytes() == content


def test_a_truncated_study_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    store = Store(path)
    for number in range(50):
        store.add(replace(RUN, id=str(number)), NETWORK)
    store.close()
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(PenchantError, match=r"study\.db"):
        store = Store(path)
        for number in range(50):
            store.network(str(number))


def test_folders_and_missing_folders_are_refused(tmp_path: Path) -> None:
    refused(tmp_path)
    refused(tmp_path / "nowhere" / "study.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    Store(path).close()
    path.chmod(stat.S_IRUSR)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(PenchantError, match=r"study\.db"):
            Store(path).set_fact("plan", "{}")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_database_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    # As SQLite says it of a read-only file or file system, whoever runs this.
    path = tmp_path / "study.db"
    store = Store(path)
    store.database.execute("PRAGMA query_only = ON")
    with pytest.raises(PenchantError, match=r"cannot use .*study\.db: .*readonly") as caught:
        store.add(RUN, NETWORK)
    assert "\n" not in str(caught.value)
    assert store.done() == set()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "study.db")
    store.add(RUN, NETWORK)
    store.database.execute("PRAGMA max_page_count = 12")
    with pytest.raises(PenchantError, match=r"study\.db: database or disk is full"):
        store.add(replace(RUN, id="b2"), b"x" * 1_000_000)
    assert store.done() == {"a1"}
    assert same(store.run("a1"), RUN)


def test_two_writers_do_not_lose_each_others_runs(tmp_path: Path) -> None:
    one, other = Store(tmp_path / "study.db"), Store(tmp_path / "study.db")
    one.add(RUN, NETWORK)
    other.add(replace(RUN, id="b2"), NETWORK)
    assert one.done() == other.done() == {"a1", "b2"}


WRITER = """
import json, sys
from penchant.study._results import Moment, Run
from penchant.study._store import Store
store = Store(sys.argv[1])
for number in range(10**9):
    moment = Moment(number, 0.0, {}, ())
    run = Run(str(number), "cat", "relu", number, "done", number, 0.0, 1, {}, {}, (), (moment,))
    store.set_checkpoint(str(number), number, b"state")
    store.add(run, str(number).encode() * 20_000)
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_all_that_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    reported = -1
    for reports in (2, 9):  # the second one starts again, over what the first one left
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        lines = [writer.stdout.readline() for _ in range(reports)]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.readlines()
        assert writer.wait() == -signal.SIGKILL
        writer.stdout.close()
        reported = max(reported, *(int(line) for line in lines if line.endswith("\n")))
        store = Store(path)
        done = store.done()
        assert {str(number) for number in range(reported + 1)} <= done
        for number in done:
            assert store.network(number) == number.encode() * 20_000
            assert store.run(number).curve[0].step == int(number)
            assert store.checkpoint(number) is None
        store.close()


def test_looking_into_a_study_leaves_its_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    store = Store(path)
    store.add(RUN, NETWORK)
    store.close()
    before = path.read_bytes()
    store = Store(path)
    assert store.done() == {"a1"}
    store.close()
    assert path.read_bytes() == before


def test_a_record_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    Store(path).add(RUN, NETWORK)
    (record,) = sqlite3.connect(path).execute("SELECT record FROM runs").fetchone()
    assert json.loads(record)["settings"]["width"] == 64
