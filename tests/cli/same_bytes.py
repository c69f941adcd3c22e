#!/usr/bin/env python3
"""The same rows are the same bytes, whatever the number of requests and threads, the read-ahead and the
memory are: also when partitions spill.

    same_bytes.py COMMAND            S3S_FULL=1: more rows, more ways
"""
import hashlib
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

COMMAND = os.path.abspath(sys.argv[1])
FULL = os.environ.get("S3S_FULL") == "1"
ROWS, FILES = (30000, 6) if FULL else (10000, 4)
SMALL = "6M" if FULL else "4M"  # partitions spill


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-same-"))
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    url = f"file://{folder}/d?fsync=0"

    def run(*arguments, data=None):
        return subprocess.run([COMMAND, *arguments], env=env, input=data, check=True,
                              stdout=subprocess.PIPE).stdout

    problems = 0
    try:
        run("init", url, "--partition-by", "p", "--entity", "id", "--version", "v")
        chance = random.Random(3)
        for _ in range(FILES):
            rows = "".join(json.dumps({"p": chance.choice(["1", "1-2", "1.5"]),
                                       "id": f"entity-{chance.randrange(9000)}",
                                       "v": chance.randrange(5), "n": chance.randrange(1 << 40),
                                       "text": "x" * chance.randrange(60)}) + "\n"
                           for _ in range(ROWS))
            run("write", url, "-", "--format", "jsonl", data=rows.encode())
        settings = [f"--max-inflight={n} --read-ahead={a} --read-ahead-bytes={b} --memory={m}".split()
                    for n, a, b, m in itertools.product((1, 32), (0, 4), (0, 100000) if FULL else (50000,),
                                                (SMALL, "256M"))]
        for mode in ([], ["--history"], ["--where", "v >= 2"]):
            for form in ("jsonl", "parquet"):
                seen = {}
                for setting in settings + settings[:1]:
                    out = run("read", url, "--format", form, *mode, *setting)
                    seen.setdefault(hashlib.sha256(out).hexdigest(), setting)
                print(f"{form} {' '.join(mode)}: {len(out)} bytes, {len(settings) + 1} ways", flush=True)
                if len(seen) > 1:
                    problems += 1
                    print(f"FAIL {form} {mode}: differs with {list(seen.values())}")
    finally:
        shutil.rmtree(folder)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
