#!/usr/bin/env python3
"""The command and a real server in network namespaces of their own, on a network whose packets are lost,
late, overtaken, repeated, damaged, or vanish without a reset, all of a sudden or for good. Every write is
there once, nothing waits longer than it was told to, and what was interrupted ends. 20 seconds of mixed
load in changing weather, ten minutes with S3S_FULL=1, or PROOF_NETNS_SECONDS.

    netns.py s3 COMMAND [TEST...]

Starts its own server (tests/support/with_s3.sh) in its own namespace: it cannot be somebody else's.
"""
import contextlib
import os
import pathlib
import signal
import sys
import time
import urllib.parse

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(pathlib.Path(__file__).resolve().parent)]
import bad_network  # noqa: E402  pylint: disable=wrong-import-position
import mixed  # noqa: E402  pylint: disable=wrong-import-position
import proof  # noqa: E402  pylint: disable=wrong-import-position
from bad_network import CALM, Weather  # noqa: E402  pylint: disable=wrong-import-position

SECONDS = float(os.environ.get("PROOF_NETNS_SECONDS") or (600 if proof.FULL else 20))
HOLE_S = 40 if proof.FULL else 2  # beyond what a request waits for its answer, or less
GENTLE = (Weather("a lossy line", loss=0.08),
          Weather("far away, and packets overtake", delay_s=0.04, jitter_s=0.06),
          Weather("packets come twice, and damaged", repeat=0.2, damage=0.03),
          Weather("a slow line", rate=64 * 1024, delay_s=0.02),
          Weather("all at once", loss=0.03, delay_s=0.02, jitter_s=0.03, repeat=0.05, damage=0.01,
                  rate=256 * 1024))
HOLE = Weather("a hole", forth=False, back=False)
HARD = (HOLE, Weather("no answers", back=False), Weather("no requests", forth=False),
        Weather("large packets vanish", largest=400), Weather("the device is down", down=True))
GRACE_S = 5  # of a busy machine, on top of what a limit says
LARGE = "".join(chr(33 + i * i % 90) for i in range(600))


@contextlib.contextmanager
def network_of(place):
    """The commands of the place run behind it, for a while."""
    port = urllib.parse.urlsplit(place.endpoint).port
    command, env = place.command, place.env
    with bad_network.Network(place.seed) as network:
        place.command = [*network.command, *command]
        place.env = {**env, "AWS_ENDPOINT_URL_S3": f"http://{bad_network.SERVER}:{port}",
                     "NO_PROXY": bad_network.SERVER, "no_proxy": bad_network.SERVER}
        try:
            yield network
        finally:
            place.command, place.env = command, env


def text_of(rows):
    """JSON lines."""
    return "".join(proof.json.dumps(row) + "\n" for row in rows)


def rows_of(token, count=60):
    """Of three partitions, some packets' worth."""
    return [{"p": f"p{i % 3}", "id": f"{token}-{i}", "text": LARGE[i % 90:] + str(i * 7919)}
            for i in range(count)]


def ids(place, url, *arguments):
    """Which rows a snapshot has, each once."""
    seen = [row["id"] for row in place.rows(url, *arguments)]
    assert len(seen) == len(set(seen)), "a row is there twice"
    return set(seen)


def write(place, url, token, *options):
    """A write that must come to its end: its lines."""
    done = place.run("write", url, "-", "--token", token, *options, text=text_of(rows_of(token)))
    assert done.returncode in (0, 3), (token, done.returncode, done.stderr)
    return proof.lines(done.stdout)


def new(place, name, *options):
    """A dataset by partitions of p."""
    return place.new(name, "--partition-by", "p", "--max-clock-skew", "0s", *options)


def test_on_a_bad_network_everything_is_done_and_right(place):
    """TCP gets it through; nothing of ours gives up too early, or takes damage for data."""
    with network_of(place) as network:
        url, wanted = new(place, "gentle"), set()
        for number, weather in enumerate(GENTLE):
            network.change(weather)
            begun, token = time.monotonic(), f"w{number}"
            told = write(place, url, token)
            wanted |= {row["id"] for row in rows_of(token)}
            assert {line["status"] for line in told} <= {"committed", "committed_late"}, told
            assert ids(place, url) == wanted, weather.name
            again = write(place, url, token)
            assert [(l["status"], l["data_path"]) for l in again] == \
                [("existing", l["data_path"]) for l in told], (told, again)
            assert set(place.run("ls", url).stdout.split()) >= {l["data_path"] for l in told}
            print(f"  {weather.name}: {time.monotonic() - begun:.1f} s")
        assert network.figures["lost"] and network.figures["repeated"] and network.figures["damaged"]
        print(f"  {dict(network.figures)}")


def test_in_a_hole_everything_ends_in_time_with_a_word(place):
    """And when the network is back, the same write completes."""
    limit_s = 3
    with network_of(place) as network:
        url = new(place, "hard")
        write(place, url, "before")
        for number, weather in enumerate(HARD):
            network.change(weather)
            token = f"w{number}"
            verbs = {"write": ("-", "--token", token), "read": ("--format", "jsonl"), "poll": (),
                     "ls": (), "commit": ("p=p0", "before"), "verify": (), "orphans": (),
                     "info": ()}

            def one(verb, arguments, token=token, weather=weather):
                begun = time.monotonic()
                done = place.run(verb, url, *arguments, "--timeout", f"{limit_s}s",
                                 text=text_of(rows_of(token)))
                took = time.monotonic() - begun
                where = weather.name, verb, done.returncode, done.stderr
                assert took < limit_s + GRACE_S, (*where, took)
                if done.returncode != 0:  # small requests pass where only large packets vanish
                    assert done.returncode == 1 and done.stderr.strip(), where
                return done.returncode, where
            ends = {}
            proof.side_by_side([lambda v=v, a=a: ends.update({v: one(v, a)})
                                for v, a in verbs.items()])
            for verb in ("write",) if weather.largest < bad_network.MTU else verbs:
                assert ends[verb][0] == 1, ends[verb]
            network.change(CALM)
            write(place, url, token)
        wanted = {row["id"] for t in ("before", *(f"w{n}" for n in range(len(HARD))))
                  for row in rows_of(t)}
        assert ids(place, url) == wanted


def test_answers_that_vanish_at_each_step_of_a_write(place):
    """The data object, the ref or the commit has arrived; the answer does not, for a while, or
    nothing passes any more. The write goes on, or its repetition does; once in the end, for
    everybody."""
    commit_timeout_s = 15
    with network_of(place) as network:
        url = new(place, "steps", "--commit-timeout", f"{commit_timeout_s}s")
        write(place, url, "before")
        follower, wanted = proof.Follower(place, url, "steps"), {"before"}
        for suffix in (".parquet", ".ref", ".commit"):
            for weather in (Weather("no answers", back=False), HOLE):
                token = f"{suffix[1:]}-{weather.name.replace(' ', '-')}"
                answer_vanishes(place, network, url, token, (suffix + " HTTP/1.1").encode(), weather)
                wanted.add(token)
        rows = {row["id"] for token in wanted for row in rows_of(token)}
        assert ids(place, url) == rows
        commits = 3 * len(wanted)
        follower.wait_for(commits)
        followed = follower.stop()
        time.sleep(commit_timeout_s + 1)
        assert followed == place.poll(url), "what was followed and what is replayed differ"
        assert len(set(proof.data_paths(followed))) == commits


def answer_vanishes(place, network, url, token, text, weather):
    """One write whose network turns bad as soon as it has sent the text."""
    source = proof.write_lines(place.path(token), rows_of(token))
    out, err = place.path(token + ".out"), place.path(token + ".err")
    sprung = network.change_after(text, weather)
    with open(out, "wb") as o, open(err, "wb") as e:
        child = place.start("write", url, "-", "--token", token, source=source, out=o, err=e)
    assert sprung.wait(proof.LIMIT_S), (token, "was never sent", err.read_text())
    time.sleep(HOLE_S)
    network.change(CALM)
    code = child.wait(proof.LIMIT_S)
    assert code in (0, 1, 3, 4), (token, code, err.read_text())
    if code in (1, 4):
        assert err.read_text().strip(), (token, "failed without a word")
    told = {l["partition"]: l for l in proof.lines(out.read_text())}
    for line in write(place, url, token):
        before = told.get(line["partition"], {})
        if before.get("status") in ("committed", "committed_late"):
            assert line["status"] == "existing", (token, before, line)
            assert line["data_path"] == before["data_path"], (token, before, line)
        if "late" in (line["status"] + before.get("status", "")):
            while place.run("restamp", url, line["partition"], token).returncode != 0:
                pass


def test_interrupted_in_a_hole_it_ends_at_once(place):
    """Whatever it waits for."""
    with network_of(place) as network:
        url = new(place, "interrupt")
        write(place, url, "before")
        for verb, arguments in (("read", ()), ("tail", ("--since", "2000-01-01T00:00:00Z")),
                                ("write", ("-", "--token", "t")), ("poll", ()), ("verify", ())):
            out, err = place.path("out"), place.path("err")
            network.change(HOLE)
            with open(out, "wb") as o, open(err, "wb") as e:
                source = proof.write_lines(place.path("rows"), rows_of("t"))
                child = place.start(verb, url, *arguments, source=source, out=o, err=e)
            time.sleep(1.0)
            assert child.poll() is None, (verb, err.read_text())
            begun = time.monotonic()
            child.send_signal(signal.SIGINT)
            code = child.wait(proof.LIMIT_S)
            took = time.monotonic() - begun
            assert code == 130, (verb, code, err.read_text())
            assert took < GRACE_S, (verb, took)
            network.change(CALM)
        assert ids(place, url) == {row["id"] for row in rows_of("before")}


def change_weather(load, network):
    """Another one every few seconds, calm in between."""
    while not load.over():
        with load.lock:
            weather = load.dice.choice(GENTLE + HARD)
            lasts_s = load.dice.uniform(0.5, 3 if weather in HARD else 6)
        network.change(weather)
        load.count(f"\"{weather.name}\"")
        time.sleep(lasts_s)
        network.change(CALM)
        time.sleep(0.5)


def test_mixed_load_in_changing_weather(place):
    """Writers, readers, a stream that is followed by polls and by one process all the while, a
    sweep."""
    with network_of(place) as network:
        load = mixed.Load(place, SECONDS)
        follower = proof.Follower(place, load.url, "weather")
        proof.side_by_side([*(lambda w=w: load.write(w) for w in range(mixed.WRITERS)),
                            load.read, load.follow, load.sweep,
                            lambda: change_weather(load, network)])
        network.change(CALM)
        rows = mixed.check_snapshot(load)
        mixed.check_results(load)
        time.sleep(mixed.TIMEOUT_S + 1)
        commits = mixed.check_stream(load)
        proof.wait_for(lambda: len(follower.entries()) >= len(load.followed),
                       "the follower has not seen everything")
        assert follower.stop() == load.followed, "two followers saw different streams"
        packets = ", ".join(f"{what} {n}" for what, n in network.figures.items())
    figures = ", ".join(f"{what} {n}" for what, n in sorted(load.figures.items()))
    print(f"{SECONDS:.0f} s: {packets}; {figures}")
    print(f"netns: {len(load.acknowledged)} writes, {commits} commits, {rows} rows: each there once, "
          "stream and snapshot agree")


def main():
    """Into a namespace of our own first, with a server in it."""
    try:
        if not os.environ.get(bad_network.INSIDE):
            os.environ.pop("S3STORE_TEST_URL", None)
            os.environ["CEPH_ALSO"] = bad_network.SERVER
            bad_network.enter([str(SUPPORT / "with_s3.sh"), sys.executable, *sys.argv])
        with bad_network.Network(0):
            pass
    except bad_network.Unavailable as why:
        print(f"SKIP: {why}")
        sys.exit(77)
    proof.main([test_on_a_bad_network_everything_is_done_and_right,
                test_in_a_hole_everything_ends_in_time_with_a_word,
                test_answers_that_vanish_at_each_step_of_a_write,
                test_interrupted_in_a_hole_it_ends_at_once,
                test_mixed_load_in_changing_weather])


if __name__ == "__main__":
    main()
