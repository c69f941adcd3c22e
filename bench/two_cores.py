#!/usr/bin/env python3
"""The Parquet engine on two threads beside one: runs in turn; the median of their ratios counts.

    two_cores.py BUILD [--runs N] [--rows PERCENT] [SET...]

Files of many columns and several row groups are read (every value of every column) and written, from
memory to memory. Two threads should be 1.7 times as fast as one. Seconds are of the wall here, so other
work on the machine counts against us, and so do cores that share more than they seem to: "ceiling" is
what two processes reach that know nothing of each other, each on one thread, side by side. Exits 1 when
the ratio misses on a machine whose load is below one and whose ceiling is 1.85 or more; 77 where there
are not two cores. Plain numbers are shown, but not judged: most of that is copying memory.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading

from parquet import Engine

WANTED = 1.7
CEILING = 1.85
SETS = ("wide", "nulls", "lists", "plain")
MUST = ("wide", "nulls", "lists")


def together(engines, words):
    """Wall seconds of the slower one."""
    found = [0.0] * len(engines)

    def ask(i):
        found[i] = engines[i].ask(*words)[1]
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(engines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(found)


def compare(what, one, other, two, runs, words, load):
    """One thread, two threads, and twice one thread, in turn."""
    rounds = [(one.ask(*words)[1], two.ask(*words)[1], together((one, other), words))
              for _ in range(runs)]
    ratio = statistics.median(r[0] / r[1] for r in rounds)
    ceiling = statistics.median(2 * r[0] / r[2] for r in rounds)
    good = what.split()[0] not in MUST or ratio >= WANTED or load >= 1 or ceiling < CEILING
    alone, both = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    print(f"{what:<20}{alone * 1e3:8.1f} ms on one thread {both * 1e3:8.1f} ms on two = {ratio:4.2f} x"
          f"   ceiling {ceiling:4.2f} x{'' if good else '   MISSED'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--rows", type=int, default=100, help="of the tables, in percent")
    parser.add_argument("sets", nargs="*")
    options = parser.parse_intermixed_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("SKIP two threads: there is one core")
        return 77
    tool = options.build.resolve() / "bench" / "parquet_bench"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-cores-"))
    one, other = (Engine(name, [tool, "serve", "1"]) for name in ("one", "other"))
    two = Engine("two", [tool, "serve", "2"])
    load = os.getloadavg()[0]
    print(f"load of the machine: {load:.1f} on {os.cpu_count()} cores")
    names = dict(line.split() for line in subprocess.run(
        [tool, "names"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines())
    good = True
    try:
        for name in options.sets or SETS:
            path = folder / f"{name}.parquet"
            subprocess.run([tool, "make", name, path, str(int(names[name]) * options.rows // 100)],
                           check=True)
            good &= compare(f"{name} read", one, other, two, options.runs, ("read", path), load)
            for engine in (one, other, two):
                engine.ask("load", path)
            for codec in ("snappy", "zstd"):
                files = [folder / f"{engine.name}.parquet" for engine in (one, two)]
                for engine, file in zip((one, two), files):
                    engine.ask("write", file, codec)
                if files[0].read_bytes() != files[1].read_bytes():
                    print(f"{name}: two threads wrote other bytes than one")
                    good = False
                good &= compare(f"{name} write {codec}", one, other, two, options.runs,
                                ("write", "-", codec), load)
            path.unlink()
    finally:
        for engine in (one, other, two):
            engine.close()
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
