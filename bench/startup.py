#!/usr/bin/env python3
"""What the command costs before it does anything: against curl, in pairs; and its size.

    startup.py BUILD [PAIRS]
"""
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def seconds(argv):
    begun = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main(build, pairs):
    command = build / "s3store"
    ours, theirs = [], []
    for i in range(pairs + 5):
        pair = seconds([command, "--version"]), seconds(["curl", "--version"])
        if i >= 5:  # the first ones fill caches
            ours.append(pair[0])
            theirs.append(pair[1])
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"s3store --version      {statistics.median(ours) * 1000:8.2f} ms")
    print(f"curl --version         {statistics.median(theirs) * 1000:8.2f} ms")
    print(f"ratio (limit 1.2)      {ratio:8.2f}")
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "s3store"
        subprocess.run(["strip", "-o", stripped, command], check=True)
        size = stripped.stat().st_size
    print(f"stripped (limit 2 MiB) {size / 2**20:8.2f} MiB")
    return 0 if ratio <= 1.2 and size < 2 * 2**20 else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100))
