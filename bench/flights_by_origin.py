#!/usr/bin/env python3
"""3 million flights into a directory for each origin: ours beside DuckDB's COPY ... PARTITION_BY.

    flights_by_origin.py BUILD [ROWS]     default 3000000

Both read the same Parquet file and write snappy, with as many threads as there are cores; the best of
three. Our peak memory must stay below 256 + 32 MiB and the time be at most half of DuckDB's. Without
the Python module duckdb only ours is measured.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

LIMIT_MIB = 256 + 32
DUCKDB = """
import duckdb, os, sys
db = duckdb.connect()
db.execute(f"set threads = {os.cpu_count()}")
db.execute(f"copy (select * from read_parquet('{sys.argv[1]}')) to '{sys.argv[2]}' "
           "(format parquet, partition_by (origin), compression 'snappy')")
"""


def run(argv):
    """Seconds on the wall, seconds of CPU, and peak MiB of one process."""
    begun = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"flights_by_origin: {argv[0]}: exit code {process.returncode}")
    return (time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def best(make_argv):
    runs = [run(make_argv(i)) for i in range(3)]
    return min(r[0] for r in runs), min(r[1] for r in runs), max(r[2] for r in runs)


def main(build, rows):
    command, tool = build / "s3store", build / "bench" / "flights"
    with tempfile.TemporaryDirectory(prefix="s3store-") as name:
        folder = pathlib.Path(name)
        path = folder / "flights.parquet"
        subprocess.run([tool, "make", path, str(rows)], check=True)

        def ours(i):
            url = f"file://{folder}/ours{i}?fsync=0"
            subprocess.run([command, "init", url, "--partition-by", "origin"], check=True,
                           stdout=subprocess.DEVNULL)
            return [command, "write", url, path]

        wall, cpu, peak = best(ours)
        print(f"flights by origin       {wall:6.2f} s {cpu:6.2f} s CPU {peak:6.0f} MiB "
              f"(limit {LIMIT_MIB})")
        good = peak < LIMIT_MIB
        if subprocess.run([sys.executable, "-c", "import duckdb"], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            print("DuckDB                  not measured: no Python module duckdb")
            return 0 if good else 1
        theirs = best(lambda i: [sys.executable, "-c", DUCKDB, str(path), str(folder / f"d{i}")])
        print(f"DuckDB                  {theirs[0]:6.2f} s {theirs[1]:6.2f} s CPU {theirs[2]:6.0f} "
              f"MiB: ours is {theirs[0] / wall:.2f} x as fast (wanted 2.00)")
        return 0 if good and theirs[0] >= 2 * wall else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000000))
