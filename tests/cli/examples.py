#!/usr/bin/env python3
"""Every example of every help text (which is the manual page too) runs, as it stands there: datasets and
files of the names that it uses are prepared, URLs lead to them.

    examples.py COMMAND
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

COMMAND = os.path.abspath(sys.argv[1])
LIMIT_S = 60
FEED = [("2018-02-01", 1), ("2018-02-03", 1), ("2018-02-07", 1), ("2018-02-07", 2)]
# Exit codes that are the example's answer.
CODES = {"doctor": {0, 5}}
# What follows a command in its line is said about it.
REMARK = re.compile(r" {3,}\S.*$")


def rows(revision):
    for i, (day, version) in enumerate(FEED):
        yield (f"e{i % 3}", day, version + revision, 4.5 + i, f"Alaska {i}", f"{day}T01:00:00Z")


def csv(revision):
    return "id,day,updated,mag,place,time\n" + "".join(
        ",".join(map(str, row)) + "\n" for row in rows(revision))


class Stage:
    """A folder with what examples name."""

    def __init__(self, folder):
        self.folder = folder
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "s3store").symlink_to(COMMAND)
        self.env["PATH"] = f"{bin_folder}:{self.env['PATH']}"
        self.shell("cat >quakes.csv", text=csv(0))
        self.shell("cat >feed.csv && gzip -k feed.csv", text=csv(1))
        # The text form of what examples call quakes.jsonl, feed.jsonl and new.parquet.
        self.dataset("scratch")
        self.shell("s3store write $SCRATCH quakes.csv >/dev/null"
                   " && s3store read $SCRATCH >quakes.jsonl && cp quakes.jsonl feed.jsonl"
                   " && s3store read $SCRATCH --format parquet >new.parquet && cp new.parquet part.parquet")

    def url(self, name):
        return f"file://{self.folder}/store/{name}?fsync=0"

    def shell(self, command, text=None, check=True):
        env = dict(self.env, SCRATCH=self.url("scratch"))
        return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=self.folder,
                              env=env, input=text, capture_output=True, text=True, check=check,
                              timeout=LIMIT_S)

    def dataset(self, name):
        self.shell(f"s3store init '{self.url(name)}' --partition-by day --entity id --version updated"
                   f" --commit-timeout 200ms --max-clock-skew 0s")

    def quakes(self, name):
        """A dataset with rows, a token and a view."""
        self.dataset(name)
        self.shell(f"s3store view-add '{self.url(name)}' by_place=place,day=time:day;"
                   f"s3store write '{self.url(name)}' feed.jsonl --token feed-0412 >/dev/null")


def examples(verb):
    text = subprocess.run([COMMAND, *verb, "--help"], check=True, capture_output=True,
                          text=True).stdout
    part = re.search(r"^Examples?:\n((?:  .*\n)+)", text, re.M)
    return [line.strip() for line in part.group(1).splitlines()] if part else []


def verbs():
    text = subprocess.run([COMMAND, "--help"], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^  ([a-z-]+) +\S", text.split("Verbs:")[1].split("Examples:")[0], re.M)


def run_example(stage, number, line):
    """What is wrong with it; None = nothing."""
    name = f"d{number}"
    verb = re.search(r"s3store +([a-z-]+)", line).group(1)
    command = REMARK.sub("", line)
    if verb == "parquet":
        command = re.sub(r"s3://\S+\.parquet", "part.parquet", command)
        if "--columns" in command:
            command = command.replace("id,amount", "id,mag")
    elif verb == "view-add":
        stage.dataset(name)
        stage.shell(f"s3store write '{stage.url(name)}' feed.jsonl >/dev/null")
    elif verb == "write":
        stage.dataset(name)
    elif verb != "init":
        stage.quakes(name)
    command = re.sub(r"(file|s3)://[^ ']+", f"'{stage.url(name)}'", command)
    command = re.sub(r" --endpoint-url \S+", "", command)
    if "tail " in command:
        command = re.sub(r"s3store +tail", "timeout -s INT 1 s3store tail", command)
    done = stage.shell(command, check=False)
    good = CODES.get(verb, {0})
    if "tail " in command:
        good = {124, 128 + signal.SIGINT}
    if "grep" in command:
        good = {0, 1}
    if done.returncode in good:
        return None
    return f"{line}\n    as {command}\n    exit code {done.returncode}: {done.stderr.strip()}"


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-examples-"))
    failed = count = 0
    try:
        (folder / "store").mkdir()
        stage = Stage(folder)
        # Those of the front page are one story.
        story = [re.sub(r"file:///\S+", f"'{stage.url('story')}'", line) for line in examples([])]
        for line in story:
            count += 1
            done = stage.shell(line, check=False)
            if done.returncode != 0:
                failed += 1
                print(f"FAILED  {line}: {done.stderr}")
        for verb in verbs():
            found = examples([verb])
            if not found:
                failed += 1
                print(f"FAILED  {verb}: no example")
            for line in found:
                count += 1
                wrong = run_example(stage, count, line)
                if wrong:
                    failed += 1
                    print(f"FAILED  {wrong}")
    finally:
        shutil.rmtree(folder)
    print(f"{count} examples, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
