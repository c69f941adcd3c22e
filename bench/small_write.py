#!/usr/bin/env python3
"""Instructions of a small write, counted by valgrind: everything but the network.

    small_write.py BUILD [LIMIT]      default: 600000 a write; exits 1 above it

Also says what part of it is counting what happens (metrics/): at most 1 per cent, 2 with a sink that
is told of everything; and what part is libcrypto's SHA-256, which valgrind runs without the CPU's
instructions for it: they take about a tenth.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROUNDS = 20


def counted(out, pattern):
    """Instructions of the functions whose line in the annotation has this."""
    text = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", str(out)],
                          capture_output=True, text=True, check=True).stdout
    own = re.findall(r"^ *([\d,]+) \([^)]*\)  " + pattern, text, re.M)
    return sum(int(n.replace(",", "")) for n in own)


def run(build, folder, *arguments):
    """Instructions of all rounds."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=measured_write",
         f"--callgrind-out-file={folder}/out", build.resolve() / "bench" / "small_write", str(ROUNDS),
         *arguments], capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        sys.exit(f"small write: {done.stderr[-2000:]}")
    return int(found.group(1))


def main(build, limit):
    if shutil.which("valgrind") is None:
        print("small write: not counted: valgrind is not installed")
        return 0
    with tempfile.TemporaryDirectory(prefix="s3store-") as folder:
        exported = run(build, folder, "sink")
        total = run(build, folder)
        metrics = counted(f"{folder}/out", r"\S*src/metrics/\S+:")
        crypto = counted(f"{folder}/out", r".*libcrypto")
    each, share = total // ROUNDS, 100 * metrics / total
    export = 100 * (exported - total + metrics) / total
    print(f"a small write           {each:>9} instructions (limit {limit})")
    print(f"of it in libcrypto      {crypto // ROUNDS:>9}")
    print(f"of it for metrics       {share:>8.2f} % (limit 1); with a sink {export:.2f} % (limit 2)")
    return 0 if each <= limit and 0 < share <= 1 and share < export <= 2 else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 600000))
