#!/usr/bin/env python3
"""Commits that arrive late, on a real server behind a proxy: with the fence they are refused and the
write completes anew; without it a durable write is missed by a reader that polled all the while. And a
server that accepts in time and applies late.

    late_commit.py s3 COMMAND [TEST...]
"""
import os
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import proof  # noqa: E402  pylint: disable=wrong-import-position
from proxy import Fate, Proxy  # noqa: E402  pylint: disable=wrong-import-position

TIMEOUT_S = 6  # the shortest, about, that a commit on S3 can be fenced with
HELD_S = TIMEOUT_S + 2
FIRST_SECONDS = 3
ROWS = [{"p": "x", "n": 1}, {"p": "x", "n": 2}]


class Hole:
    """One write whose commits are held back; what became of it."""

    def __init__(self, place, name, *options, dies=False):
        self.place, self.name, self.options, self.dies = place, name, options, dies
        self.url = place.new(name, "--partition-by", "p", "--commit-timeout", f"{TIMEOUT_S}s",
                             "--max-clock-skew", "0s")
        self.child, self.first, self.held = None, None, []

    def rule(self, request):
        """Every commit that comes in the first seconds waits until its time is over."""
        if request.kind != "commit" or request.method != "PUT":
            return None
        self.first = self.first or request.arrived
        if request.arrived - self.first > FIRST_SECONDS:
            return None
        self.held.append(request)
        return Fate(hold_s=HELD_S, before=self.child.kill if self.dies else None)

    def write(self, token, rows, *options, endpoint=None):
        """A write to its end: its only line."""
        done = self.place.run("write", self.url, "-", "--token", token, *options, endpoint=endpoint,
                              text="".join(proof.json.dumps(row) + "\n" for row in rows))
        assert done.returncode == 0, (self.name, done.returncode, done.stderr)
        return proof.lines(done.stdout)[0]

    def run(self):
        """The held write, between two others; then everything settles."""
        source = proof.write_lines(self.place.path(self.name + ".rows"), ROWS)
        out = self.place.path(self.name + ".out")
        err = self.place.path(self.name + ".err")
        self.write("before", [{"p": "y", "n": 0}])
        follower = proof.Follower(self.place, self.url, self.name)
        with Proxy(self.place.endpoint, self.rule) as proxy:
            with open(out, "wb") as o, open(err, "wb") as e:
                self.child = self.place.start("write", self.url, "-", "--token", "held",
                                              *self.options, source=source, out=o, err=e,
                                              endpoint=proxy.url)
            proof.wait_for(lambda: self.held or self.child.poll() is not None, "no commit came")
            self.write("after", [{"p": "z", "n": 9}])
            self.code = self.child.wait(proof.LIMIT_S)
            proxy.wait_idle()
            assert not proxy.failures, proxy.failures
        self.lines = proof.lines(out.read_text())
        self.errors = err.read_text()
        assert self.held, (self.code, self.errors)
        time.sleep(TIMEOUT_S + 1.5)
        self.snapshot = sorted(row["n"] for row in self.place.rows(self.url, "p=x"))
        self.followed = follower.stop()
        self.replayed = self.place.poll(self.url)
        self.refs = [k for k in self.place.keys(self.url) if "-held-" in k and k.endswith(".ref")]

    def statuses(self):
        """What the server answered to the held commits."""
        return {request.status for request in self.held}

    def seen(self, entries):
        """The entries of the held write."""
        return [path for path in proof.data_paths(entries) if "/held-" in path]


def test_late_commits_are_refused_and_the_write_completes_anew(place):
    """And the four ways around it, side by side: they wait most of the time."""
    lives = Hole(place, "lives")
    dies = Hole(place, "dies", dies=True)
    open_lives = Hole(place, "open-lives", "--fence", "off")
    open_dies = Hole(place, "open-dies", "--fence", "off", dies=True)
    proof.side_by_side([hole.run for hole in (lives, dies, open_lives, open_dies)])
    check_lives(lives)
    check_dies(dies)
    check_open_lives(open_lives)
    check_open_dies(open_dies)


def check_lives(hole):
    """Refused, never visible; a new attempt; seen exactly once; the replay is the same."""
    assert hole.code == 0, (hole.code, hole.errors)
    assert hole.statuses() == {403}, hole.statuses()
    line, = hole.lines
    assert line["status"] == "committed", line
    assert hole.snapshot == [1, 2], hole.snapshot
    assert len(hole.refs) >= 2, hole.refs
    assert hole.seen(hole.followed) == [line["data_path"]], hole.followed
    assert hole.followed == hole.replayed, (hole.followed, hole.replayed)
    again = hole.write("held", ROWS)
    assert again["status"] == "existing" and again["data_path"] == line["data_path"], again


def check_dies(hole):
    """Refused, never visible on any path; a retry of the token commits, and is seen once."""
    assert hole.code == -signal.SIGKILL, hole.code
    assert hole.statuses() == {403}, hole.statuses()
    assert not hole.snapshot and not hole.seen(hole.followed) and not hole.seen(hole.replayed)
    assert hole.place.run("commit", hole.url, "p=x", "held").returncode == 5
    follower = proof.Follower(hole.place, hole.url, "dies-again")
    line = hole.write("held", ROWS)
    assert line["status"] == "committed", line
    proof.wait_for(lambda: hole.seen(follower.entries()), "the retry is not in the stream")
    assert hole.seen(follower.stop()) == [line["data_path"]]


def check_open_lives(hole):
    """Without the fence the writer can only mend: the reader sees it, a replay is not the same."""
    assert hole.code == 0, (hole.code, hole.errors)
    assert hole.statuses() == {200}, hole.statuses()
    assert hole.snapshot == [1, 2], hole.snapshot
    line, = hole.lines
    assert hole.seen(hole.followed) == [line["data_path"]], hole.followed
    assert hole.seen(hole.replayed) == [line["data_path"]] * 2, hole.replayed


def check_open_dies(hole):
    """The miss: durable, in every snapshot, and a reader that polled all the while never gets it."""
    assert hole.code == -signal.SIGKILL, hole.code
    assert hole.statuses() == {200}, hole.statuses()
    assert hole.snapshot == [1, 2], hole.snapshot
    assert not hole.seen(hole.followed), hole.followed
    assert len(hole.seen(hole.replayed)) == 1, hole.replayed


# ---- a server that accepts in time and applies late -----------------------------------------------

def osd_pid():
    """The process that stores, of a server that is ours alone."""
    folder = os.environ.get("S3STORE_TEST_CEPH_DIR")
    if not folder:
        raise proof.Skip("the server is not a Ceph of this test's own")
    pid = int(pathlib.Path(folder, "osd.pid").read_text())
    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert any(folder.encode() in word for word in command), command
    return pid


def test_a_server_that_applies_a_commit_late_gets_an_extra_ref(place):
    """The commit is accepted in time; what stores it stands still until its time is over."""
    pid = osd_pid()
    hole = Hole(place, "paused")
    timers = []

    def pause():
        os.kill(pid, signal.SIGSTOP)
        timers.append(threading.Timer(HELD_S, os.kill, (pid, signal.SIGCONT)))
        timers[0].start()

    def rule(request):
        if request.kind == "commit" and request.method == "PUT" and not timers:
            hole.held.append(request)
            return Fate(before=pause)
        return None

    def write_after(token, rows):
        return {} if token == "after" else Hole.write(hole, token, rows)

    hole.rule = rule
    hole.write = write_after  # nobody can write while the server stands still
    try:
        hole.run()
    finally:
        for timer in timers:
            timer.join()
        os.kill(pid, signal.SIGCONT)
    assert hole.code == 0, (hole.code, hole.errors)
    assert hole.held[0].status == 200, hole.held
    assert hole.held[0].answered - hole.held[0].arrived > TIMEOUT_S, hole.held
    line, = hole.lines
    assert line["status"] == "committed", line
    assert hole.snapshot == [1, 2], hole.snapshot
    attempt = line["data_path"].removesuffix(".parquet")[-32:]
    assert sum(attempt in ref for ref in hole.refs) == 2, hole.refs
    # The reader was held up too: it may have seen the first place as well as the second.
    assert set(hole.seen(hole.followed)) == {line["data_path"]}, hole.followed
    assert hole.seen(hole.replayed) == [line["data_path"]] * 2, hole.replayed


if __name__ == "__main__":
    proof.main([
        test_late_commits_are_refused_and_the_write_completes_anew,
        test_a_server_that_applies_a_commit_late_gets_an_extra_ref,
    ])
