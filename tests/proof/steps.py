#!/usr/bin/env python3
"""Each request of a write on a real server, and everything that can become of it; then what readers of
both kinds see, and that a retry with the same token gives the right result.

    steps.py s3 COMMAND [TEST...]
"""
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import proof  # noqa: E402  pylint: disable=wrong-import-position
from proxy import Fate, Proxy  # noqa: E402  pylint: disable=wrong-import-position

TIMEOUT_S = 6
STEPS = {"ask": ("HEAD", "commit"), "data": ("PUT", "data"), "ref": ("PUT", "ref"),
         "commit": ("PUT", "commit")}
AGREE_S = 0.5  # a signalled process has seen it by then
WORKERS = 4

DONE, NOTHING = "committed", "nothing"


class Case:
    """One write; one of its requests meets one fate, the first time it is sent."""

    def __init__(self, step, fate):
        self.step, self.fate = step, fate
        self.token = f"{step}-{fate}"
        self.child, self.hit = None, None

    def rule(self, request):
        """Only the first of its kind."""
        if self.hit or (request.method, request.kind) != STEPS[self.step]:
            return None
        self.hit = request
        kill, stop = self.child.kill, lambda: self.child.send_signal(signal.SIGINT)
        return {
            "refused": Fate(refuse=503),
            "lost": Fate(lose=True),
            "answer-lost": Fate(lose_answer=True),
            "slow": Fate(hold_s=0.7, answer_hold_s=0.7),
            "cancelled-before": Fate(before=stop, hold_s=AGREE_S),
            "cancelled-after": Fate(after=stop, answer_hold_s=AGREE_S),
            "killed-before": Fate(before=kill, hold_s=0.05, lose=True),
            "killed-after": Fate(after=kill, lose_answer=True),
            "killed-and-late": Fate(before=kill, hold_s=0.3),
        }[self.fate]

    def expected(self):
        """The exit code, and what a reader sees afterwards."""
        publishing = self.step in ("ref", "commit")
        if self.fate.startswith("cancelled"):
            # Until the data is known to be stored nothing has happened; afterwards it is finished.
            return {0, 130} if publishing else {130}, DONE if publishing else NOTHING
        if self.fate.startswith("killed"):
            there = self.step == "commit" and self.fate != "killed-before"
            return {-signal.SIGKILL}, DONE if there else NOTHING
        return {0}, DONE


FATES = ("refused", "lost", "answer-lost", "slow", "cancelled-before", "cancelled-after",
         "killed-before", "killed-after", "killed-and-late")


class Run:
    """All cases in one dataset, a partition each."""

    def __init__(self, place):
        self.place = place
        self.url = place.new("steps", "--partition-by", "p", "--commit-timeout", f"{TIMEOUT_S}s",
                             "--max-clock-skew", "0s")
        self.cases = {c.token: c for c in (Case(s, f) for s in STEPS for f in FATES)}
        self.final = {}

    def rule(self, request):
        """By the token in the key."""
        for case in self.cases.values():
            if f"/{case.token}." in request.key or f"/{case.token}-0" in request.key or \
                    f"-{case.token}-0" in request.key:
                return case.rule(request)
        return None

    def rows(self, case):
        """Two: half of them would be torn."""
        return [{"p": case.token, "n": n} for n in (1, 2)]

    def first(self, case, endpoint):
        """The write that is disturbed, and what is there right after it."""
        place, url = self.place, self.url
        source = proof.write_lines(place.path(case.token + ".rows"), self.rows(case))
        out, err = place.path(case.token + ".out"), place.path(case.token + ".err")
        with open(out, "wb") as o, open(err, "wb") as e:
            case.child = place.start("write", url, "-", "--token", case.token, source=source,
                                     out=o, err=e, endpoint=endpoint)
        code = case.child.wait(proof.LIMIT_S)
        if case.fate == "killed-and-late":
            proof.wait_for(lambda: case.hit.status, "the late request did not arrive")
        lines = proof.lines(out.read_text()) if code >= 0 else []
        codes, visible = case.expected()
        told = (case.token, code, lines, err.read_text())
        assert case.hit, told
        assert code in codes, told
        asked = place.run("commit", url, f"p={case.token}", case.token)
        assert asked.returncode == (0 if visible == DONE else 5), (told, asked.stderr)
        seen = [row["n"] for row in place.rows(url, f"p={case.token}")]
        assert sorted(seen) == ([1, 2] if visible == DONE else []), (told, seen)
        if visible == DONE and code >= 0:
            line, = lines
            assert line["status"] in ("committed", "existing"), told
            assert line["data_path"] == proof.lines(asked.stdout)[0]["data_path"], told
        return proof.lines(asked.stdout)[0] if visible == DONE else None

    def retry(self, case, before):
        """The same token again: the same result, or the first one."""
        done = self.place.run("write", self.url, "-", "--token", case.token,
                              text="".join(proof.json.dumps(r) + "\n" for r in self.rows(case)))
        assert done.returncode == 0, (case.token, done.stderr)
        line, = proof.lines(done.stdout)
        if before is not None:
            same = {k: line[k] for k in ("data_path", "ref_path", "inserted_at", "row_count")}
            assert line["status"] == "existing", (case.token, line)
            assert same == {k: before[k] for k in same}, (case.token, line, before)
        else:
            assert line["status"] == "committed", (case.token, line)
        self.final[case.token] = line

    def work(self, cases, endpoint):
        """One worker's share."""
        for case in cases:
            self.retry(case, self.first(case, endpoint))


def test_every_step_and_what_can_become_of_it(place):
    """36 cases; at the end the stream has each commit once, for the follower and for a replay."""
    run = Run(place)
    first = place.run("write", run.url, "-", text='{"p":"setup","n":0}\n')
    assert first.returncode == 0, first.stderr
    follower = proof.Follower(place, run.url, "steps")
    cases = list(run.cases.values())
    with Proxy(place.endpoint, run.rule) as proxy:
        proof.side_by_side([lambda i=i: run.work(cases[i::WORKERS], proxy.url)
                            for i in range(WORKERS)])
        proxy.wait_idle()
        assert not proxy.failures, proxy.failures
    wanted = {line["data_path"] for line in run.final.values()}
    assert len(wanted) == len(cases)
    proof.wait_for(lambda: len(follower.entries()) > len(cases), "not everything is in the stream")
    time.sleep(1)
    replayed = place.poll(run.url)
    followed = follower.stop()
    assert followed == replayed, (followed, replayed)
    paths = [p for p in proof.data_paths(replayed) if "/p=setup/" not in p]
    assert sorted(paths) == sorted(wanted), set(paths) ^ wanted
    assert len(place.rows(run.url)) == 2 * len(cases) + 1
    keys = place.keys(run.url)
    left = sum(k.endswith(".parquet") for k in keys) - len(cases) - 1
    assert left > 0, "no case left data without a commit: nothing was disturbed"
    print(f"{len(cases)} cases; {left} data objects lie there uncommitted, and no reader sees them")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    proof.main([test_every_step_and_what_can_become_of_it])
