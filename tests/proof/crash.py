#!/usr/bin/env python3
"""Eight writers that are killed at random moments, again and again, and repeat what was not
acknowledged with the same token. At the end every acknowledged row is there once, every token's result
is what it was, and what lies around uncommitted is on no path. 40 kills, 500 with S3S_FULL=1, or
PROOF_KILLS; with PROOF_KILL_SECONDS as many as that time gives, ten at least.

    crash.py file|s3 COMMAND [TEST...]
"""
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import proof  # noqa: E402  pylint: disable=wrong-import-position
from proxy import Fate, Proxy  # noqa: E402  pylint: disable=wrong-import-position

WRITERS = 8
KILLS = int(os.environ.get("PROOF_KILLS") or (500 if proof.FULL else 40))
SECONDS = float(os.environ.get("PROOF_KILL_SECONDS") or 0)
PARTITIONS, ROWS = 3, 4
JITTER_S = 0.03
TIMEOUT_S = 15


class Crash:
    """The dataset, and what was acknowledged."""

    def __init__(self, place):
        self.place = place
        self.url = place.new("crash", "--partition-by", "p", "--entity", "id", "--version", "v",
                             "--commit-timeout", f"{TIMEOUT_S}s", "--max-clock-skew", "0s")
        self.lock = threading.Lock()
        self.end = time.monotonic() + SECONDS
        self.kills = 0
        self.acknowledged = {}  # token -> lines
        self.took_s = 1.0       # how long an undisturbed write takes, about
        self.endpoint = None

    def rows(self, worker, number):
        """Every row an entity of its own, in its only version."""
        return [{"p": f"p{i % PARTITIONS}", "id": f"w{worker}-{number}-{i}", "v": number + 1,
                 "text": "x" * 50} for i in range(PARTITIONS * ROWS)]

    def enough(self):
        """Whether all kills are done."""
        with self.lock:
            if SECONDS:
                return self.kills >= 10 and time.monotonic() > self.end
            return self.kills >= KILLS

    def write_once(self, worker, token, source, dice):
        """One process; its lines when it came to its end."""
        out = self.place.path(f"w{worker}.out")
        begun = time.monotonic()
        with open(out, "wb") as o, open(self.place.path(f"w{worker}.err"), "wb") as e:
            child = self.place.start("write", self.url, "-", "--token", token, source=source,
                                     out=o, err=e, endpoint=self.endpoint)
        if not self.enough() and dice.random() < 0.8:
            try:
                child.wait(dice.uniform(0, 1.1 * self.took_s))
            except proof.subprocess.TimeoutExpired:
                child.kill()
                child.wait(proof.LIMIT_S)
                with self.lock:
                    self.kills += 1
                return None
        code = child.wait(proof.LIMIT_S)
        err = self.place.path(f"w{worker}.err").read_text()
        assert code == 0, (token, code, err)
        with self.lock:
            self.took_s += 0.2 * (time.monotonic() - begun - self.took_s)
        return proof.lines(out.read_text())

    def work(self, worker):
        """Batch after batch, each repeated until it is acknowledged."""
        dice = random.Random(self.place.seed * 31 + worker)
        number = 0
        while not self.enough():
            token = f"w{worker}-{number}"
            source = proof.write_lines(self.place.path(f"w{worker}.rows"), self.rows(worker, number))
            found = None
            while found is None:
                found = self.write_once(worker, token, source, dice)
            assert len(found) == PARTITIONS, found
            assert all(line["status"] in ("committed", "existing") for line in found), found
            with self.lock:
                self.acknowledged[token] = found
            number += 1

    def rule(self, _):
        """Requests take their time, so that a kill meets every step."""
        return Fate(hold_s=random.random() * JITTER_S)


def check_rows(crash):
    """Every acknowledged row once, and nothing else: all batches were acknowledged at last."""
    wanted = {row["id"]: row["v"] for token in crash.acknowledged
              for row in crash.rows(*(int(x) for x in token[1:].split("-")))}
    seen = [(row["id"], row["v"]) for row in crash.place.rows(crash.url)]
    assert len(seen) == len(set(seen)), "a row is there twice"
    assert dict(seen) == wanted, (set(dict(seen)) ^ set(wanted))
    return len(seen)


def check_results(crash):
    """Asked again, every token has the result that was told."""
    def check(told):
        token, line = told
        done = crash.place.run("commit", crash.url, line["partition"], token)
        assert done.returncode == 0, done.stderr
        again = proof.lines(done.stdout)[0]
        for member in ("data_path", "ref_path", "inserted_at", "row_count"):
            assert again[member] == line[member], (token, again, line)
    proof.for_each([(token, line) for token, told in crash.acknowledged.items() for line in told],
                   check)


def check_stream(crash, followed):
    """What the follower saw is what is committed, each once; a replay is the same."""
    wanted = sorted(line["data_path"] for told in crash.acknowledged.values() for line in told)
    replayed = crash.place.poll(crash.url)
    assert followed == replayed, "what was followed and what is replayed differ"
    assert sorted(proof.data_paths(replayed)) == wanted, \
        set(proof.data_paths(replayed)) ^ set(wanted)
    history = crash.place.run("poll", crash.url, "--records", "--max", "100000")
    assert history.returncode == 0, history.stderr
    assert len(proof.lines(history.stdout)) == len(wanted) * ROWS
    return wanted


def check_leftovers(crash, wanted):
    """What lies around uncommitted: kills came between every two steps; no listing shows it."""
    keys = crash.place.keys(crash.url)
    data = [k for k in keys if k.endswith(".parquet")]
    listed = crash.place.run("ls", crash.url).stdout.split()
    assert sorted(listed) == wanted
    refs = sum(k.endswith(".ref") for k in keys)
    return len(data) - len(wanted), refs - len(wanted)


def test_killed_writers_lose_nothing_and_leave_nothing_torn(place):
    """The whole of it."""
    crash = Crash(place)
    follower = proof.Follower(place, crash.url, "crash")

    def run(endpoint):
        crash.endpoint = endpoint
        proof.side_by_side([lambda w=w: crash.work(w) for w in range(WRITERS)])
    if place.is_s3:
        with Proxy(place.endpoint, crash.rule) as proxy:
            run(proxy.url)
            assert not proxy.failures, proxy.failures
    else:
        run(None)
    rows = check_rows(crash)
    check_results(crash)
    count = sum(len(told) for told in crash.acknowledged.values())
    proof.wait_for(lambda: len(follower.entries()) >= count, "not everything is in the stream")
    time.sleep(1)
    wanted = check_stream(crash, follower.stop())
    data, refs = check_leftovers(crash, wanted)
    assert crash.kills >= (10 if SECONDS else KILLS)
    print(f"{crash.kills} kills; {len(crash.acknowledged)} writes, {count} commits, {rows} rows; "
          f"uncommitted, and seen by nobody: {data} data objects, {refs} of their refs")
    print(f"kills {crash.kills}")


if __name__ == "__main__":
    proof.main([test_killed_writers_lose_nothing_and_leave_nothing_torn])
