#!/usr/bin/env python3
"""Mixed load on a real server through a network that delays, throttles, refuses, cuts and loses, with
the gateway killed and started again under it: writers, snapshot readers, a reader of the stream, and an
orphan sweep, all at once. Afterwards, on a good network, everything must add up. 20 seconds, 30 minutes
with S3S_FULL=1, or PROOF_MIXED_SECONDS.

    mixed.py s3 COMMAND [TEST...]
"""
import collections
import os
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import proof  # noqa: E402  pylint: disable=wrong-import-position
from proxy import Fate, Proxy  # noqa: E402  pylint: disable=wrong-import-position

SECONDS = float(os.environ.get("PROOF_MIXED_SECONDS") or (1800 if proof.FULL else 20))
WRITERS, READERS = 4, 2
PARTITIONS, ROWS = 3, 6
TIMEOUT_S = 15
BASE = ("data_path", "ref_path", "inserted_at", "row_count")


class Gateway:
    """The harness's own gateway: killed, and started again as it was."""

    def __init__(self):
        folder = os.environ.get("S3STORE_TEST_CEPH_DIR")
        self.pid_file = pathlib.Path(folder) / "rgw.pid" if folder else None
        self.child = None
        self.restarts = 0

    def restart(self, down_s):
        """Not where the server is somebody else's."""
        if self.pid_file is None or not self.pid_file.exists():
            return
        pid = int(self.pid_file.read_text())
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert b"radosgw" in words[0] and str(self.pid_file.parent).encode() in b" ".join(words)
        os.kill(pid, signal.SIGKILL)
        if self.child is not None:
            self.child.wait(proof.LIMIT_S)
        time.sleep(down_s)
        with open(self.pid_file.parent / "rgw.out", "ab") as out:
            self.child = proof.subprocess.Popen([w.decode() for w in words], stdout=out, stderr=out,
                                                stdin=proof.subprocess.DEVNULL,
                                                start_new_session=True)
        self.pid_file.write_text(str(self.child.pid))
        self.restarts += 1


class Load:
    """The dataset, what was acknowledged, what readers saw."""

    def __init__(self, place, seconds=SECONDS):
        self.place, self.endpoint = place, None
        self.url = place.new("mixed", "--partition-by", "p", "--entity", "id", "--version", "v",
                             "--commit-timeout", f"{TIMEOUT_S}s", "--max-clock-skew", "0s")
        self.lock = threading.Lock()
        self.end = time.monotonic() + seconds
        self.acknowledged = {}       # token -> lines
        self.begun = set()           # tokens
        self.followed, self.since = [], []
        self.figures = collections.Counter()
        self.dice = random.Random(place.seed)

    def over(self):
        """Whether it is time to finish what is open."""
        return time.monotonic() > self.end

    def count(self, what, by=1):
        """One more of a figure."""
        with self.lock:
            self.figures[what] += by

    def run(self, verb, *arguments, text=None):
        """The command through the bad network; None when that was too bad."""
        try:
            return self.place.run(verb, self.url, *arguments, text=text, endpoint=self.endpoint)
        except proof.subprocess.TimeoutExpired:
            raise AssertionError(f"{verb} hangs") from None

    def rule(self, _):
        """What becomes of a request."""
        with self.lock:
            d, t = self.dice.random(), self.dice.random()
        for bound, name, fate in ((0.03, "lost", Fate(lose=True)),
                                  (0.06, "answers lost", Fate(lose_answer=True)),
                                  (0.08, "answers cut", Fate(cut_answer=True)),
                                  (0.11, "refused", Fate(refuse=503)),
                                  (0.14, "throttled", Fate(trickle_s=0.4 * t)),
                                  (0.15, "held", Fate(hold_s=2.5 * t))):
            if d < bound:
                self.count(name)
                return fate
        return Fate(hold_s=0.02 * t)

    # ---- actors ------------------------------------------------------------------------------------

    def rows(self, token):
        """Every row an entity of its own, in its only version."""
        return [{"p": f"p{i % PARTITIONS}", "id": f"{token}-{i}", "v": 1, "text": "x" * 40}
                for i in range(ROWS)]

    def write(self, worker):
        """Batch after batch, each repeated with its token until it is acknowledged."""
        number = 0
        while not self.over():
            token = f"w{worker}-{number}"
            text = "".join(proof.json.dumps(r) + "\n" for r in self.rows(token))
            with self.lock:
                self.begun.add(token)
            while True:
                done = self.run("write", "-", "--token", token, text=text)
                assert done.returncode in (0, 1, 3, 4), (token, done.returncode, done.stderr)
                self.count(f"write exits {done.returncode}")
                if done.returncode in (0, 3):
                    break
                assert done.stderr.strip(), "a failure without a word"
            found = proof.lines(done.stdout)
            assert len(found) == PARTITIONS, found
            for line in found:
                if line["status"] == "committed_late":
                    self.restamp(line["partition"], token)
            with self.lock:
                self.acknowledged[token] = found
            number += 1

    def restamp(self, partition, token):
        """What was committed late is put at the stream's end."""
        self.count("restamps")
        while self.run("restamp", partition, token).returncode != 0:
            pass

    def read(self):
        """Snapshots: what was acknowledged before is there, once, and nothing is torn."""
        while not self.over():
            with self.lock:
                known = list(self.acknowledged)
            done = self.run("read", "--history", "--format", "jsonl")
            self.count(f"read exits {done.returncode}")
            if done.returncode != 0:
                assert done.returncode == 1 and done.stderr.strip(), (done.returncode, done.stderr)
                continue
            parts = collections.Counter()
            seen = collections.Counter(row["id"] for row in proof.lines(done.stdout))
            assert max(seen.values(), default=1) == 1, "a row is there twice"
            for token in known:
                for row in self.rows(token):
                    assert row["id"] in seen, f"{row['id']} was acknowledged and is gone"
            for key in seen:
                token, _, i = key.rpartition("-")
                parts[token, int(i) % PARTITIONS] += 1
            torn = [k for k, n in parts.items() if n != ROWS // PARTITIONS]
            assert not torn, f"torn: {torn}"
            self.count("rows read", len(seen))

    def follow_once(self, run):
        """One poll from the last offset; the number of its entries, None where it failed."""
        done = run("poll", *self.since)
        if done.returncode != 0:
            assert done.returncode == 1 and done.stderr.strip(), (done.returncode, done.stderr)
            return None
        *entries, last = proof.lines(done.stdout)
        self.followed += entries
        if last["next_offset"]:
            self.since = ["--since", last["next_offset"]]
        return len(entries)

    def follow(self):
        """A reader of the stream, by the contract."""
        while not self.over():
            found = self.follow_once(self.run)
            self.count("polls that failed" if found is None else "polls")

    def sweep(self):
        """Looks for orphans: nothing as young as this is removable."""
        while not self.over():
            done = self.run("orphans", "--older-than", "1s", "--delete")
            self.count(f"sweep exits {done.returncode}")
            assert done.returncode in (0, 1), (done.returncode, done.stderr)
            time.sleep(0.5)

    def restart(self, gateway):
        """The gateway dies now and then."""
        pause = min(60, SECONDS / 3)
        while not self.over():
            time.sleep(pause)
            if not self.over():
                gateway.restart(self.dice.uniform(0.2, 1.5))


# ---- what must add up -------------------------------------------------------------------------------

def check_snapshot(load):
    """Every acknowledged row once; of the rest whole partitions or nothing."""
    wanted = {row["id"] for token in load.acknowledged for row in load.rows(token)}
    seen = [row["id"] for row in load.place.rows(load.url)]
    assert len(seen) == len(set(seen)), "a row is there twice"
    assert set(seen) == wanted, set(seen) ^ wanted
    return len(seen)


def check_results(load):
    """Asked again, every token has the result that was told."""
    def check(told):
        token, line = told
        done = load.place.run("commit", load.url, line["partition"], token)
        assert done.returncode == 0, done.stderr
        again = proof.lines(done.stdout)[0]
        for name in BASE if line["status"] != "committed_late" else ("data_path", "row_count"):
            assert again[name] == line[name], (token, again, line)
    proof.for_each([(token, line) for token, told in load.acknowledged.items() for line in told],
                   check)


def check_stream(load):
    """What was followed is what is replayed, and what snapshots have."""
    while load.follow_once(lambda v, *a: load.place.run(v, load.url, *a)):
        pass
    replayed = load.place.poll(load.url)
    assert load.followed == replayed, "what was followed and what is replayed differ"
    committed = {line["data_path"] for told in load.acknowledged.values() for line in told}
    paths = proof.data_paths(replayed)
    assert set(paths) == committed, set(paths) ^ committed
    late = sum(l["status"] == "committed_late" for t in load.acknowledged.values() for l in t)
    assert len(paths) - len(committed) <= late + load.figures["restamps"]
    listed = load.place.run("ls", load.url).stdout.split()
    assert set(listed) == committed
    verified = load.place.run("verify", load.url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    return len(committed)


def test_mixed_load_on_a_bad_network(place):
    """The whole of it."""
    if not place.is_s3:
        raise proof.Skip("a network needs a server")
    load, gateway = Load(place), Gateway()
    with Proxy(place.endpoint, load.rule) as proxy:
        load.endpoint = proxy.url
        proof.side_by_side([*(lambda w=w: load.write(w) for w in range(WRITERS)),
                            *([load.read] * READERS), load.follow, load.sweep,
                            lambda: load.restart(gateway)])
        assert not [f for f in proxy.failures if "Refused" not in f], proxy.failures
        requests = len(proxy.seen)
    rows = check_snapshot(load)
    check_results(load)
    time.sleep(TIMEOUT_S + 1)
    commits = check_stream(load)
    assert rows > 0 and len(load.followed) >= commits
    figures = ", ".join(f"{what} {n}" for what, n in sorted(load.figures.items()))
    print(f"{SECONDS:.0f} s: {requests} requests, {gateway.restarts} restarts of the gateway; {figures}")
    print(f"mixed: {len(load.acknowledged)} writes, {commits} commits, {rows} rows: each there once, "
          "stream and snapshot agree")


if __name__ == "__main__":
    proof.main([test_mixed_load_on_a_bad_network])
