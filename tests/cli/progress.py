#!/usr/bin/env python3
"""Progress is drawn on a terminal, and only there; it leaves nothing behind but one line that says what
was done; standard output has data alone.

    progress.py COMMAND
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading

COMMAND = os.path.abspath(sys.argv[1])
LIMIT_S = 60
DAYS, ROWS = 7, 30000


def on_terminal(*argv, columns=120, source=None):
    """Exit code, standard output, and what a terminal of that width got on standard error."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    got = []

    def collect():
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:  # the last writer has closed it
                return
            if not block:
                return
            got.append(block)

    with subprocess.Popen([COMMAND, *argv], stdin=source or subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=slave, text=True) as child:
        os.close(slave)
        reader = threading.Thread(target=collect)
        reader.start()
        out, _ = child.communicate(timeout=LIMIT_S)
        reader.join(LIMIT_S)
    os.close(master)
    return child.returncode, out, b"".join(got).decode()


def screen(text):
    """What is to be seen at the end, line by line: a carriage return draws over what is there."""
    seen = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part):]
        seen.append(shown.rstrip())
    return "\n".join(seen).strip("\n")


def frames(text):
    return [f for f in re.split(r"[\r\n]+", text) if f.strip()]


class Case:
    """A dataset, and an input for it."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0
        self.input = folder / "rows.csv"
        self.input.write_text("day,id,n\n" + "".join(
            f"2024-01-0{1 + i % DAYS},e{i},{i}\n" for i in range(ROWS)), encoding="utf-8")

    def url(self, *options):
        self.number += 1
        url = f"file://{self.folder}/d{self.number}?fsync=0"
        subprocess.run([COMMAND, "init", url, "--partition-by", "day", *options], check=True,
                       stdout=subprocess.DEVNULL)
        return url


def expect(true, *what):
    if not true:
        raise AssertionError(what)


def test_write_shows_a_bar_and_ends_with_a_line(case):
    code, out, err = on_terminal("write", case.url(), str(case.input))
    expect(code == 0, code, err)
    lines = [json.loads(line) for line in out.splitlines()]
    expect(len(lines) == DAYS and sum(x["row_count"] for x in lines) == ROWS, out)
    expect(re.fullmatch(rf"write: {ROWS} rows committed in {DAYS} of {DAYS} partitions, "
                        r"[0-9.]+ [KM]iB stored \([0-9.]+ s\)", screen(err)), screen(err))
    bars = [f for f in frames(err) if f.startswith("[")]
    expect(f"[{'#' * 30}] {ROWS} of {ROWS} rows, " in bars[-1], bars)
    expect(f", {DAYS} of {DAYS} partitions" in bars[-1], bars)
    expect(any(f.startswith("write: ") and "rows checked" in f for f in frames(err)), err)


def test_write_tells_what_standard_input_gave(case):
    with open(case.input, "rb") as rows:
        code, _, err = on_terminal("write", case.url(), "-", "--format", "csv", source=rows)
    expect(code == 0, code, err)
    expect(re.match(r"write: [0-9.]+ (bytes|KiB|MiB) read", frames(err)[0]), err)


def test_chunks_are_counted_in_rows(case):
    url = case.url("--chunk-rows", "1000")
    code, out, err = on_terminal("write", url, str(case.input), "--token", "t")
    expect(code == 0, code, err)
    expect(len(out.splitlines()) > DAYS, out)
    expect(f"{ROWS} rows committed in {DAYS} of {DAYS} partitions" in screen(err), screen(err))


def test_a_narrow_terminal_gets_lines_that_fit(case):
    _, _, err = on_terminal("write", case.url(), str(case.input), columns=40)
    drawn = [f for f in re.split(r"\r|\n", err) if f and "stored (" not in f]
    expect(len(drawn) > 1 and max(map(len, drawn)) <= 39, drawn)


def test_partial_success_is_counted(case):
    url = case.url()
    first = case.folder / "first.csv"
    first.write_text("day,id,n\n2024-01-03,other,1\n", encoding="utf-8")
    subprocess.run([COMMAND, "write", url, str(first), "--token", "t"], check=True,
                   stdout=subprocess.DEVNULL)
    code, _, err = on_terminal("write", url, str(case.input), "--token", "t", "--keep-going")
    expect(code == 4, code, err)
    expect(f" committed in {DAYS - 1} of {DAYS} partitions" in screen(err), screen(err))
    expect("token t is already committed" in screen(err), screen(err))


def test_a_dry_run_says_that_nothing_was_written(case):
    code, _, err = on_terminal("write", case.url(), str(case.input), "--dry-run")
    expect(code == 0, code, err)
    expect(f"write: {ROWS} rows in {DAYS} partitions planned, nothing written" in screen(err), err)


def test_silence_where_nobody_looks(case):
    code, _, err = on_terminal("write", case.url(), str(case.input), "--no-progress")
    expect((code, err) == (0, ""), code, err)
    for verb in (["write", case.url(), str(case.input)], ["verify", case.url()]):
        done = subprocess.run([COMMAND, *verb], capture_output=True, text=True, check=True)
        expect("\r" not in done.stderr and "[" not in done.stderr, done.stderr)


def test_a_mistake_is_the_only_thing_said(case):
    bad = case.folder / "bad.csv"
    bad.write_text(case.input.read_text(encoding="utf-8") + "one,two\n", encoding="utf-8")
    code, out, err = on_terminal("write", case.url(), str(bad))
    expect((code, out) == (1, ""), code, out)
    expect(re.fullmatch(rf"s3store write: .*bad\.csv:{ROWS + 2}: .*", screen(err)), screen(err))


def test_verify_and_backfill_draw_the_same_way(case):
    url = case.url("--view", "days=day")
    subprocess.run([COMMAND, "write", url, str(case.input)], check=True, stdout=subprocess.DEVNULL)
    for verb, unit in ((["verify", url], "commits"), (["backfill", url, "days"], "objects")):
        code, _, err = on_terminal(*verb)
        expect(code == 0, code, err)
        expect(re.search(rf"\[#{{30}}\] {DAYS} of (about )?{DAYS} {unit}", err), err)
        expect("[" not in screen(err), screen(err))


def main():
    failed = 0
    for name, test in [(n, f) for n, f in globals().items() if n.startswith("test_")]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-progress-"))
        try:
            test(Case(folder))
            print(f"ok      {name}")
        except AssertionError as why:
            failed += 1
            print(f"FAILED  {name}: {why}")
        finally:
            shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
