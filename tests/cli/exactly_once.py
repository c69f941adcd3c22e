#!/usr/bin/env python3
"""`read --exactly-once`, then `poll`, killed (kill -9) at any moment, while others write: a program that
takes a run's output when the offset file has changed, and drops it when it has not, has every row once.

    exactly_once.py COMMAND
"""
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from tail import COMMAND, World, numbers

WRITES, ROWS, KILLS, CUTS = 20, 4, 8, 3


def run_and_kill(world, rng, offset, verb, *arguments, may_kill):
    """The rows of a run that stored an offset; None when it was killed before."""
    before = offset.read_bytes() if offset.exists() else None
    out = world.folder / f"{offset.name}-out"
    with open(out, "wb") as to:
        child = subprocess.Popen([COMMAND, verb, world.url, *arguments, "--offset-file", offset],
                                 env=world.env, stdout=to, stdin=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        killed = False
        if may_kill:
            try:
                child.wait(timeout=rng.uniform(0, 0.12))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                killed = True
        code = child.wait(timeout=60)
    assert killed or code == 0, f"{verb} ended with {code}"
    after = offset.read_bytes() if offset.exists() else None
    if after == before:
        assert killed or verb == "poll", "no offset was stored"
        return None
    return numbers(out)


def consume(world, rng, writer):
    offset = world.folder / f"offset-{rng.random()}"
    rows = None
    kills = KILLS
    while rows is None:
        rows = run_and_kill(world, rng, offset, "read", "--exactly-once", may_kill=kills > 0)
        kills -= 1
    had = len(rows)
    assert offset.read_text().startswith("except "), "nothing was written shortly before"
    quiet = 0
    kills = KILLS
    while quiet < 2:  # two runs after the last write settled that brought nothing
        ended = not writer.is_alive() and time.monotonic() > world.settled
        more = run_and_kill(world, rng, offset, "poll", "--records", "--max", str(rng.randint(1, 5)),
                            may_kill=kills > 0)
        kills -= 1
        rows += more or []
        quiet = quiet + 1 if ended and kills < 0 and more is None else 0
    return had, rows


def write_all(world):
    for i in range(WRITES):
        world.write(i * ROWS, ROWS)
    world.settled = time.monotonic() + world.settle_s


def cut(world, seed, writer, results):
    rng = random.Random(seed)
    time.sleep(rng.uniform(0, 1))
    results[seed] = consume(world, rng, writer)


def main():
    world = World()
    seed = random.randrange(1 << 30)
    writer = threading.Thread(target=write_all, args=(world,))
    world.settled = 0
    world.write(1000000, 1)
    writer.start()
    results = {}
    threads = [threading.Thread(target=cut, args=(world, seed + i, writer, results)) for i in range(CUTS)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.join()
    finally:
        shutil.rmtree(world.folder, ignore_errors=True)
    expected = sorted(list(range(WRITES * ROWS)) + [1000000])
    assert len(results) == CUTS, f"seed {seed}: a cut failed"
    for had, rows in results.values():
        assert sorted(rows) == expected, f"seed {seed}: snapshot of {had} rows, then {sorted(rows)}"
    print(f"snapshots of {[had for had, _ in results.values()]} rows of {len(expected)}, each row once")


if __name__ == "__main__":
    sys.exit(main())
