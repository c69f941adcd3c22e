#!/usr/bin/env python3
"""3 million flights into a directory for each origin: ours beside DuckDB's COPY ... PARTITION_BY.

    flights_by_origin.py BUILD [ROWS]     default 3000000

Both read the same Parquet file and write snappy, with as many threads as there are cores, one after
the other in pairs. Our peak memory must stay below 256 + 32 MiB and the time be at most half of
DuckDB's. Without the Python module duckdb only ours is measured.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT_MIB = 256 + 32
PAIRS = 7
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


def main(build, rows):
    command, tool = build / "s3store", build / "bench" / "flights"
    peer = subprocess.run([sys.executable, "-c", "import duckdb"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0
    with tempfile.TemporaryDirectory(prefix="s3store-") as name:
        folder = pathlib.Path(name)
        path = folder / "flights.parquet"
        subprocess.run([tool, "make", path, str(rows)], check=True)

        def ours(i):
            url = f"file://{folder}/ours{i}?fsync=0"
            subprocess.run([command, "init", url, "--partition-by", "origin"], check=True,
                           stdout=subprocess.DEVNULL)
            return run([command, "write", url, path])

        def theirs(i):
            return run([sys.executable, "-c", DUCKDB, str(path), str(folder / f"duckdb{i}")])

        runs = [(ours(i), theirs(i) if peer else None) for i in range(PAIRS)]
        for which, title in enumerate(("flights by origin", "DuckDB")[:1 + peer]):
            wall, cpu, peak = (statistics.median(r[which][k] for r in runs) for k in range(3))
            print(f"{title:22}  {wall:6.2f} s {cpu:6.2f} s CPU {peak:6.0f} MiB")
        good = max(r[0][2] for r in runs) < LIMIT_MIB
        print(f"peak below {LIMIT_MIB} MiB: {'yes' if good else 'no   MISSED'}")
        if not peer:
            print("DuckDB                  not measured: no Python module duckdb")
            return 0 if good else 1
        ratio = statistics.median(r[1][0] / r[0][0] for r in runs)
        print(f"{ratio:.2f} x as fast, median of {PAIRS} pairs (wanted 2.00)"
              f"{'' if ratio >= 2 else '   MISSED'}")
        return 0 if good and ratio >= 2 else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3000000))
