#!/usr/bin/env python3
"""What `s3store tail` promises: nothing is lost over kill -9, Ctrl-C ends with 130, a closed pipe ends
quietly, errors that may pass are told and tried again.

    tail.py COMMAND
"""
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

COMMAND = os.path.abspath(sys.argv[1])
LIMIT_S = 60
BATCHES, ROWS = 24, 5


class World:
    """A dataset of its own that settles fast: in a directory, or on the server of S3STORE_TEST_URL."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-tail-"))
        (self.folder / "store").mkdir()
        server = os.environ.get("S3STORE_TEST_URL")
        self.settle_s = 5 if server else 0.5
        if server:
            self.url = f"{server.rstrip('/')}/tail-{os.getpid()}-{self.folder.name}"
            self.env = dict(os.environ)
        else:
            self.url = f"file://{self.folder}/store/d?fsync=0"
            self.env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.run("init", "--partition-by", "p", "--commit-timeout", "4s" if server else "300ms", "--max-clock-skew", "0s")

    def run(self, verb, *arguments, text=None):
        return subprocess.run([COMMAND, verb, self.url, *arguments], env=self.env, input=text,
                              check=True, capture_output=True, text=True)

    def write(self, first, count=ROWS):
        rows = "".join(json.dumps({"p": f"p{i % 3}", "n": i}) + "\n"
                       for i in range(first, first + count))
        self.run("write", "-", "--format", "jsonl", text=rows)

    def tail(self, *arguments, out, err=subprocess.DEVNULL):
        return subprocess.Popen([COMMAND, "tail", self.url, *arguments], env=self.env, stdout=out,
                                stderr=err, stdin=subprocess.DEVNULL)


def numbers(path):
    """The rows in a file, without a last line that a kill cut short."""
    text = path.read_text(encoding="utf-8")
    found = []
    for line in text.split("\n"):
        try:
            found.append(json.loads(line)["n"])
        except (ValueError, KeyError):
            continue
    return found


def wait_for(claim, what):
    end = time.monotonic() + LIMIT_S
    while not claim():
        assert time.monotonic() < end, f"after {LIMIT_S} s: {what}"
        time.sleep(0.05)


def interrupt(child, how=signal.SIGINT):
    """Ctrl-C, once the child is ready for it, ends it with 130."""
    def is_ready():
        status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        blocked = int(status.split("SigBlk:")[1].split()[0], 16)
        return blocked & 1 << (signal.SIGINT - 1)
    wait_for(is_ready, "not ready for signals")
    child.send_signal(how)
    assert child.wait(LIMIT_S) == 130, child.returncode


def test_every_row_comes_although_tail_is_killed(world):
    out, checkpoint = world.folder / "rows", world.folder / "checkpoint"
    expected = set(range(BATCHES * ROWS))
    chance = random.Random(7)
    begun = threading.Event()

    def write():
        begun.wait(LIMIT_S)
        for i in range(BATCHES):
            world.write(i * ROWS)

    writer = threading.Thread(target=write)
    writer.start()
    kills, seen, longest_s = 0, 0, 0.5
    with open(out, "ab") as file:
        # Nobody may be killed before there is a checkpoint: what was written before that is not "from now on".
        child = world.tail("--records", "--checkpoint", str(checkpoint), out=file)
        wait_for(checkpoint.exists, "no checkpoint")
        begun.set()
        while writer.is_alive() or not expected <= set(numbers(out)):
            time.sleep(chance.uniform(0.02, longest_s))
            child.kill()
            assert child.wait(LIMIT_S) == -signal.SIGKILL, child.returncode
            kills += 1
            assert kills < 400, sorted(expected - set(numbers(out)))
            file.write(b"\n")  # ends a line that was cut short
            file.flush()
            # Where a machine is so slow that none lives long enough, they live longer.
            before, seen = seen, len(set(numbers(out)))
            longest_s = 0.5 if seen > before else min(longest_s * 1.1, 10)
            child = world.tail("--records", "--checkpoint", str(checkpoint), out=file)
        writer.join()
        interrupt(child)
    got = numbers(out)
    assert set(got) == expected, expected ^ set(got)
    assert kills >= 3, kills
    # What the checkpoint says is done does not come again.
    assert world.run("poll", "--since", checkpoint.read_text(), "--records").stdout == ""


def test_it_starts_at_the_settled_tip(world):
    world.write(0)
    time.sleep(world.settle_s)  # settled: it is the past
    out = world.folder / "rows"
    with open(out, "wb") as file:
        child = world.tail("--checkpoint", str(world.folder / "c"), "--records", out=file)
        wait_for((world.folder / "c").exists, "no checkpoint")
        world.write(100)
        wait_for(lambda: set(range(100, 100 + ROWS)) <= set(numbers(out)), "the new rows")
        interrupt(child, signal.SIGTERM)
    assert set(numbers(out)) == set(range(100, 100 + ROWS)), numbers(out)


def test_entries_from_the_beginning(world):
    world.write(0)
    out = world.folder / "entries"
    with open(out, "wb") as file:
        child = world.tail("--since", "-1h", out=file)
        wait_for(lambda: out.read_bytes().count(b"\n") >= 3, "three commits")
        interrupt(child)
    entries = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(e["partition"] for e in entries) == ["p=p0", "p=p1", "p=p2"], entries
    assert sum(e["row_count"] for e in entries) == ROWS


def test_a_closed_pipe_ends_it_quietly(world):
    for arguments in (["--records", "--since", "-1h"], ["--since", "-1h"], []):
        child = world.tail(*arguments, out=subprocess.PIPE, err=subprocess.PIPE)
        if arguments:
            world.write(0)
            child.stdout.readline()
        child.stdout.close()
        assert child.wait(LIMIT_S) == 0, (arguments, child.returncode)
        told = child.stderr.read().decode()
        assert all("settle window" in line for line in told.splitlines()), told
        child.stderr.close()


def test_a_full_disk_ends_it_with_an_error_and_without_a_checkpoint(world):
    world.write(0)
    for arguments in (["--records"], []):
        checkpoint = world.folder / "full"
        checkpoint.write_text("")
        with open("/dev/full", "wb") as full:
            child = world.tail(*arguments, "--checkpoint", str(checkpoint), out=full,
                               err=subprocess.PIPE)
            told = child.communicate(timeout=LIMIT_S)[1].decode()
        assert child.returncode == 1, child.returncode
        assert "No space left on device" in told and "again" not in told, told
        assert checkpoint.read_text() == ""


def test_an_error_that_may_pass_is_told_and_tried_again(world):
    world.write(0)
    out, err = world.folder / "rows", world.folder / "err"
    with open(out, "wb") as file, open(err, "wb") as told:
        child = world.tail("--records", "--since", "-1h", out=file, err=told)
        wait_for(lambda: len(numbers(out)) == ROWS, "the rows")
        soft, hard = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (3, hard))  # it can open nothing
        wait_for(lambda: b"trying again in 0.5 s" in err.read_bytes() or child.poll() is not None,
                 "a note")
        assert child.poll() is None, err.read_text()
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (soft, hard))
        world.write(100)
        wait_for(lambda: len(numbers(out)) == 2 * ROWS, "the new rows")
        interrupt(child)


def test_a_checkpoint_of_another_dataset_is_refused(world):
    checkpoint = world.folder / "checkpoint"
    checkpoint.write_text("other/_ref/0000000000000001")
    child = world.tail("--checkpoint", str(checkpoint), out=subprocess.PIPE, err=subprocess.PIPE)
    told = child.communicate(timeout=LIMIT_S)[1].decode()
    assert child.returncode == 1 and "no offset of this dataset" in told, told


def main():
    failed = 0
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    if os.environ.get("S3STORE_TEST_URL"):  # its connections stay open
        tests.remove(("test_an_error_that_may_pass_is_told_and_tried_again",
                      test_an_error_that_may_pass_is_told_and_tried_again))
    for name, test in tests:
        world = World()
        try:
            test(world)
            print("ok  ", name, flush=True)
        except (AssertionError, subprocess.CalledProcessError) as problem:
            failed += 1
            print("FAIL", name, problem, getattr(problem, "stderr", ""), flush=True)
        finally:
            shutil.rmtree(world.folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
