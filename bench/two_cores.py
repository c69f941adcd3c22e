#!/usr/bin/env python3
"""The Parquet engine on two threads beside one: runs in turn; the median of their ratios counts.

    two_cores.py BUILD [--runs N] [--rows PERCENT] [SET...]

Files of many columns and several row groups are read (every value of every column) and written from
memory. Two threads should be 1.7 times as fast as one. Seconds are of the wall here, so other work on
the machine counts against us. "Free" is what two cores with nothing else to do would reach: one thread
runs the pieces of work in turn, and their CPU times are laid out as two threads would take them. Exits
1 when that misses, or when a machine does whose load is below one; 77 where there are not two cores.
Plain numbers are shown, but not judged: a large part of writing them is the system's own copying.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from parquet import Engine

WANTED = 1.7
SETS = ("wide", "nulls", "lists", "plain")
MUST = ("wide", "nulls", "lists")


def pairs(engines, runs, words):
    """Wall and CPU seconds of the engines, which take turns: a row for each round."""
    return [[engine.ask(*(w(engine) if callable(w) else w for w in words))[1::-1]
             for engine in engines] for _ in range(runs)]


def show(what, rounds, busy):
    one, two = (statistics.median(r[i][0] for r in rounds) for i in (0, 1))
    ratio = statistics.median(r[0][0] / r[1][0] for r in rounds)
    free = statistics.median(r[2][1] / r[2][0] for r in rounds)
    good = what.split()[0] not in MUST or (free >= WANTED and (ratio >= WANTED or busy))
    print(f"{what:<24}{one * 1e3:8.1f} ms on one thread {two * 1e3:8.1f} ms on two = {ratio:4.2f} x"
          f"   free {free:4.2f} x{'' if good else '   MISSED'}", flush=True)
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
    engines = [Engine("one", [tool, "serve", "1"]), Engine("two", [tool, "serve", "2"]),
               Engine("model", [tool, "serve", "model"])]
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
            good &= show(f"{name} read", pairs(engines, options.runs, ("read", path)), load >= 1)
            for engine in engines:
                engine.ask("load", path)
            for codec in ("snappy", "zstd"):
                out = lambda engine: folder / f"{engine.name}.parquet"
                rounds = pairs(engines, options.runs, ("write", out, codec))
                good &= show(f"{name} write {codec}", rounds, load >= 1)
                if out(engines[0]).read_bytes() != out(engines[1]).read_bytes():
                    print(f"{name}: two threads wrote other bytes than one")
                    good = False
            path.unlink()
    finally:
        for engine in engines:
            engine.close()
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
