#!/usr/bin/env python3
"""Millions of rows through the command: in as Parquet, partitioned by month, and out again.

    flights.py BUILD [ROWS | FILE.parquet]      default: 3000000 made-up rows

Counts and sums of the copy must agree with the source, and no process may need more than 512 MiB.
Prints seconds and peak memory of each step; exits 1 when something does not hold.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

LIMIT_KIB = 512 * 1024


def run(argv, **options):
    """Output, seconds and peak KiB of one process."""
    begun = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, **options) as process:
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"flights: {' '.join(map(str, argv))}: exit code {process.returncode}")
    return out.decode(), time.monotonic() - begun, usage.ru_maxrss


def main(build, source):
    command, tool = build / "s3store", build / "bench" / "flights"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-flights-"))
    problems = []

    def step(name, argv, **options):
        out, seconds, peak = run(argv, **options)
        print(f"{name:<22}{seconds:8.2f} s {peak / 1024:8.0f} MiB")
        if peak > LIMIT_KIB:
            problems.append(f"{name} needed {peak / 1024:.0f} MiB")
        return out

    try:
        if source.isdigit():
            path = folder / "flights.parquet"
            step("make", [tool, "make", path, source])
        else:
            path = source
        url = f"file://{folder}/flights?fsync=0"
        subprocess.run([command, "init", url, "--partition-by", "month=date:month"], check=True,
                       stdout=subprocess.DEVNULL)
        commits = step("write", [command, "write", url, path]).count('"status":"committed"')
        wanted = step("sum of the source", [tool, "sum", path])
        got = step("sum of the dataset", [tool, "sum", url])
        rows = step("read to CSV", ["sh", "-c", '"$0" read "$1" --format csv | wc -l', command, url])
        files = step("ls", [command, "ls", url]).count("\n")
        print(f"rows, sums             {wanted.strip()}, in {commits} partitions")
        if got != wanted:
            problems.append(f"the source sums up to {wanted.strip()}, the dataset to {got.strip()}")
        if int(rows) != int(wanted.split()[0]) + 1:
            problems.append(f"the command read {int(rows) - 1} rows")
        if commits != files or commits < 6:
            problems.append(f"{commits} partitions were committed, {files} objects are listed")
    finally:
        shutil.rmtree(folder)
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "3000000"))
