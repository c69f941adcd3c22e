#!/usr/bin/env python3
"""Writers that are killed at random: afterwards `verify` is clean, `orphans` lists exactly what no
commit names, and after `orphans --delete` nothing but that is gone.

    crash.py COMMAND
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

COMMAND = os.path.abspath(sys.argv[1])
KILLS = 24


def run(*arguments, text=None, codes=(0,)):
    done = subprocess.run([COMMAND, *arguments], input=text, capture_output=True, text=True,
                          timeout=100, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def rows(count):
    return "".join(json.dumps({"id": i, "p": f"p{i % 4}", "v": 1, "text": "x" * 200}) + "\n"
                   for i in range(count))


def kill_writers(url, dice):
    """Some with a token that is written again later, some without."""
    killed = 0
    begun = time.time()
    run("write", url, "-", text=rows(60))
    usual = time.time() - begun
    for i in range(KILLS):
        token = ["--token", f"t{i % 5}"] if i % 3 else []
        writer = subprocess.Popen([COMMAND, "write", url, "-", *token], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        writer.stdin.write(rows(60))
        writer.stdin.close()
        time.sleep(dice.random() * usual)
        writer.kill()
        killed += writer.wait() < 0
    return killed


def by_hand(store, url):
    """Data objects and refs that are of no committed data object."""
    committed = set(run("ls", url).split())
    attempts = {re.search(r"-([0-9a-f]{32})\.parquet$", key).group(1) for key in committed}
    found = set()
    for path in store.rglob("*"):
        key = str(path.relative_to(store))
        if not path.is_file() or ".s3store" in key:
            continue
        ref = re.search(r"/_ref/.*-([0-9a-f]{32});", key)
        if (key.endswith(".parquet") and key not in committed) or \
                (ref and ref.group(1) not in attempts):
            found.add(key)
    return found


def main():
    dice = random.Random(20180207)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-crash-"))
    store = folder / "store"
    url = f"file://{store}/d?fsync=0"
    try:
        run("init", url, "--partition-by", "p", "--entity", "id", "--version", "v")
        run("write", url, "-", text=rows(8))
        killed = kill_writers(url, dice)
        time.sleep(1.1)
        for i in range(5):
            run("write", url, "-", "--token", f"t{i}", text=rows(60))
        # Attempts of which a writer could have died anywhere, also where no kill happened to hit.
        victim = sorted(store.rglob("*.parquet"))[0]
        shutil.copy(victim, victim.with_name(f"dead-{'0' * 32}.parquet"))
        before = run("read", url)
        run("verify", url)
        run("verify", url, "--shallow")
        expected = by_hand(store, url)
        long_ago = time.time() - 8 * 86400
        for path in store.rglob("*"):
            # Markers keep their time: verify compares it with their stamps.
            if path.is_file() and not path.name.endswith(".commit"):
                os.utime(path, (long_ago, long_ago))
        lines = [json.loads(line) for line in run("orphans", url, "--json").splitlines()]
        listed = {line["key"] for line in lines[:-1]}
        assert listed == expected, listed ^ expected
        assert all(line["removable"] for line in lines[:-1])
        run("orphans", url, "--delete")
        assert by_hand(store, url) == set()
        assert run("read", url) == before
        run("verify", url)
        print(f"{killed} of {KILLS} writers killed, {len(expected)} orphans")
    finally:
        shutil.rmtree(folder)


main()
