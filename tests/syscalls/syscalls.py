#!/usr/bin/env python3
"""The command on a directory, each time with another system call that fails: short reads and writes,
EINTR, a full disk, no descriptors left, I/O errors, no memory. What may go on goes on and gives the same;
what may not ends with one error; a write is there wholly or not at all, and the same write again
completes it. The standard streams: full, closed, a pipe that nobody reads.

    syscalls.py COMMAND SHIM [OPERATION [CALL:FAULT]]     S3S_FULL=1: every call, not only some of them
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

LIMIT_S = 120
FULL = os.environ.get("S3S_FULL", "") not in ("", "0")
ROWS = [{"p": p, "id": f"{p}{i}", "v": 1, "text": "t" * i} for p in "ab" for i in range(3)]
NEW = [{"p": p, "id": f"new{i}", "v": 1, "text": "n"} for p in "cd" for i in range(2)]

# Faults that a program which reads and writes as it should does not show.
HARMLESS = {"read:short", "read:EINTR", "write:short", "write:EINTR", "open:EINTR", "open:EINTR~",
            "read:EINTR~", "write:EINTR~"}
FAULTS = ["open:EINTR~", "read:EINTR~", "write:EINTR~", "open:EINTR", "open:EMFILE", "open:ENFILE", "open:EIO", "read:short", "read:EINTR",
          "read:EIO", "write:short", "write:EINTR", "write:ENOSPC", "write:EIO", "sync:EIO", "sync:EIO+",
          "rename:EIO", "rename:ENOSPC", "mkdir:ENOSPC", "alloc:ENOMEM"]


class World:
    """A directory with a dataset, of which every case gets a copy."""

    def __init__(self, command, shim):
        self.command, self.shim = os.path.abspath(command), os.path.abspath(shim)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-syscalls-"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.env["TMPDIR"] = str(self.folder)
        self.hit = self.folder / "hit"
        self.rows, self.new = self.folder / "rows.jsonl", self.folder / "new.jsonl"
        self.rows.write_text("".join(json.dumps(r) + "\n" for r in ROWS))
        self.new.write_text("".join(json.dumps(r) + "\n" for r in NEW))
        self.first = self.folder / "first"
        self.first.mkdir()
        url = f"file://{self.first}/ds"
        self.good("init", url, "--partition-by", "p", "--entity", "id", "--version", "v",
                  "--commit-timeout", "20s", "--view", "by_id=id")
        self.good("write", url, str(self.rows), "--token", "first")
        self.cases = 0
        self.struck = 0

    def close(self):
        """Removes all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *arguments, faults=None, counts=None, **kwargs):
        """The command to its end."""
        env = dict(self.env)
        if counts:
            env.update(LD_PRELOAD=self.shim, FAULTY_CALLS_COUNT=str(counts))
        if faults:
            env.update(LD_PRELOAD=self.shim, FAULTY_CALLS=faults, FAULTY_CALLS_HIT=str(self.hit))
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([self.command, *arguments], env=env, timeout=LIMIT_S, check=False,
                              stderr=subprocess.PIPE, **kwargs)

    def good(self, *arguments):
        """The command, which succeeds: what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.returncode, done.stderr)
        return done.stdout.decode()

    def copy(self, fsync=False):
        """A fresh dataset's URL."""
        self.cases += 1
        place = self.folder / f"case{self.cases}"
        shutil.copytree(self.first, place)
        return place, f"file://{place}/ds" + ("" if fsync else "?fsync=0")

    def seen(self, url):
        """Rows of a snapshot by partition, in order."""
        text = self.good("read", url, "--format", "jsonl", "--history")
        rows = [json.loads(line) for line in text.splitlines()]
        return {p: [r for r in rows if r["p"] == p] for p in sorted({r["p"] for r in rows})}


def by_partition(rows):
    """What seen() says of rows."""
    return {p: [r for r in rows if r["p"] == p] for p in sorted({r["p"] for r in rows})}


# ---- operations: arguments, and what holds afterwards -----------------------------------------------

def check_write(world, url, done):
    """All of a partition or nothing of it; what was acknowledged is there; again, and all is."""
    after, wanted = world.seen(url), by_partition(ROWS + NEW)
    for p in "ab":
        assert after[p] == wanted[p]
    for p in "cd":
        assert after.get(p, []) in ([], wanted[p]), f"torn: {after.get(p)}"
    lines = []
    for line in done.stdout.decode().split("\n")[:-1]:
        lines.append(json.loads(line))
    for line in lines:
        if line["status"] in ("committed", "existing", "committed_late"):
            assert line["partition"][2:] in after, "acknowledged, and not there"
    if done.returncode == 0:
        assert after == wanted
    world.good("write", url, str(world.new), "--token", "second")
    assert world.seen(url) == wanted


def check_init(world, url, _):
    """The same init again completes it, and the dataset can be written."""
    other = beside(url)
    world.good(*init_of(world, url))
    world.good("write", other, str(world.rows), "--token", "first")
    assert world.seen(other) == by_partition(ROWS)


def beside(url):
    """Another dataset in the same directory."""
    path, mark, options = url.partition("?")
    return path + "2" + mark + options


def init_of(_, url):
    """Makes a dataset beside the one that is there."""
    return ("init", beside(url), "--partition-by", "p", "--entity", "id", "--version", "v")


def check_nothing(world, url, _):
    """What was there is there."""
    assert world.seen(url) == by_partition(ROWS)


OPERATIONS = {
    "init": (init_of, check_init),
    "write": (lambda w, u: ("write", u, str(w.new), "--token", "second"), check_write),
    "write-spooled": (lambda w, u: ("write", u, "-", "--token", "second"), check_write),
    "read": (lambda w, u: ("read", u, "--format", "jsonl"), check_nothing),
    "poll": (lambda w, u: ("poll", u, "--records"), check_nothing),
    "view": (lambda w, u: ("view", u, "by_id"), check_nothing),
    "verify": (lambda w, u: ("verify", u), check_nothing),
    "orphans": (lambda w, u: ("orphans", u), check_nothing),
    "export-manifest": (lambda w, u: ("export-manifest", u), check_nothing),
    "parquet": (lambda w, u: ("parquet", str(next(w.first.rglob("*.parquet"))), "--format", "jsonl"),
                check_nothing),
}


def without_times(text):
    """What a command printed, without what differs each time and in each copy."""
    lines = []
    for line in text.decode(errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            lines.append("text")
            continue
        lines.append(sorted(value))
    return lines


def one_case(world, name, fault, number, plain):
    """One call fails."""
    arguments, check = OPERATIONS[name]
    place, url = world.copy(fault.startswith("sync"))
    world.hit.unlink(missing_ok=True)
    stdin = open(world.new, "rb") if name == "write-spooled" else subprocess.DEVNULL
    more = fault[-1] if fault[-1] in "+~" else ""
    faults = f"{fault.removesuffix(more)}:{number}{more}"
    where = f"{name} with {faults}"
    try:
        done = world.run(*arguments(world, url), faults=faults, stdin=stdin)
    finally:
        if stdin is not subprocess.DEVNULL:
            stdin.close()
    hit = world.hit.exists()
    says = done.stderr.decode(errors="replace")
    # Options that no memory is left for are taken for wrong ones.
    usage = (2,) if fault.startswith("alloc") else ()
    if done.returncode == -signal.SIGABRT and "std::bad_alloc" in says:  # README.md
        done.returncode = 1
    assert done.returncode in (0, 1, 3, 4, 5, *usage), f"{where}: exit {done.returncode}: {says}"
    if done.returncode != 0:
        assert hit, f"{where}: exit {done.returncode}: {says}"
        assert fault not in HARMLESS, f"{where}: exit {done.returncode}: {says}"
        assert says.strip(), f"{where}: no word of why"
    elif fault == "sync:EIO+" and hit and name in ("init", "write", "write-spooled"):
        raise AssertionError(f"{where}: told that it is on disk")
    elif not name.startswith("write") and name != "init":
        assert without_times(done.stdout) == plain, f"{where}: another answer: {done.stdout[:500]}"
    try:
        if check is not check_nothing or FULL:
            check(world, url, done)
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}; {says}") from error
    shutil.rmtree(place)
    world.struck += hit


def numbers_of(fault, calls):
    """Which calls to try: all, or three of them; of allocations, which are many, three or a hundred.
    ~ is every second one in one go: each place that tries again as it should is interrupted once."""
    most = calls[fault.partition(":")[0]]
    if fault.endswith("~"):
        return [1] if most > 0 else []
    alloc = fault.startswith("alloc")
    if FULL and not alloc:
        return range(1, most + 1)
    return sorted({1 + i * (most - 1) // 99 for i in range(100)} if FULL else
                  {1, (most + 1) // 2, most}) if most > 0 else []


def plain_run(world, name):
    """What the operation prints when nothing fails, and how many calls of each kind it makes."""
    arguments, _ = OPERATIONS[name]
    place, url = world.copy(fsync=True)
    counts = world.folder / "counts"
    with open(world.new, "rb") as source:
        done = world.run(*arguments(world, url), stdin=source, counts=counts)
    assert done.returncode == 0, (name, done.stderr)
    shutil.rmtree(place)
    return (without_times(done.stdout),
            {k: int(n) for k, n in (line.split() for line in counts.read_text().splitlines())})


def test_system_calls(world, operations, faults):
    """Every operation under every fault."""
    for name in operations:
        before = world.struck
        plain, calls = plain_run(world, name)
        for fault in faults:
            for number in numbers_of(fault, calls):
                one_case(world, name, fault, number, plain)
        assert world.struck > before, "nothing has failed: is the shim loaded?"
        print(f"ok: {name}: {world.struck - before} calls failed", flush=True)


# ---- standard streams -------------------------------------------------------------------------------

def test_standard_streams(world):
    """Output that cannot be written is an error; a pipe that nobody reads any more ends quietly."""
    _, url = world.copy()
    for arguments in (("read", url, "--format", "jsonl"), ("poll", url), ("ls", url), ("info", url),
                      ("view", url, "by_id"), ("read", url, "--format", "csv"), ("--help",),
                      ("--version",), ("verify", url), ("orphans", url), ("export-manifest", url)):
        with open("/dev/full", "wb") as full:
            done = world.run(*arguments, stdout=full)
        assert done.returncode == 1, (arguments, done.returncode, done.stderr)
        assert b"No space" in done.stderr, (arguments, done.stderr)
        done = world.run(*arguments, stdout=None, preexec_fn=lambda: os.close(1))
        assert done.returncode == 1 and done.stderr.strip(), (arguments, done.returncode, done.stderr)
        reader, writer = os.pipe()
        os.close(reader)
        done = world.run(*arguments, stdout=writer)
        os.close(writer)
        assert b"standard output" not in done.stderr, (arguments, done)
        assert done.returncode in (0, -signal.SIGPIPE), (arguments, done.returncode)
    # A write whose result cannot be told has written all the same, and can be repeated.
    with open("/dev/full", "wb") as full:
        done = world.run("write", url, str(world.new), "--token", "second", stdout=full)
    assert done.returncode == 1 and b"No space" in done.stderr, done
    again = world.good("write", url, str(world.new), "--token", "second")
    assert [json.loads(line)["status"] for line in again.splitlines()] == ["existing"] * 2
    assert world.seen(url) == by_partition(ROWS + NEW)
    done = world.run("write", url, "-", "--token", "third", stdin=None,
                     preexec_fn=lambda: os.close(0))
    assert done.returncode == 1 and done.stderr.strip(), done
    print("ok: standard streams", flush=True)


def main():
    """Runs the tests."""
    command, shim, *wanted = sys.argv[1:]
    world = World(command, shim)
    try:
        test_system_calls(world, wanted[:1] or OPERATIONS, wanted[1:2] or FAULTS)
        if not wanted:
            test_standard_streams(world)
    finally:
        world.close()
    print(f"system call faults {world.struck}")


if __name__ == "__main__":
    main()
