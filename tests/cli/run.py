#!/usr/bin/env python3
"""Golden tests of the command: runs cases and compares what they print.

    run.py COMMAND FOLDER [--update] [CASE]...

A case is a file FOLDER/NAME.case that runs in a directory and an environment of its own:

    # What it claims.
    @ rows.jsonl                      a file in the case's directory; its lines follow, up to "@"
    {"id":"a"}
    @
    $ s3store read $D | head -1       a command for bash; $D is the URL of a dataset (file://...),
                                      $DATA the folder tests/data
    > {"id":"a","n":<n>}              its standard output, in order
    ! s3store read: ...               its standard error
    ? 1                               its exit code (without this line: 0)

Expected lines may hold <time> <id> <n> <any>; a line "> ..." or "! ..." stands for any number of
lines. A "$" line may go on with lines that begin with "  ". The case "# temporary" comments are kept.
--update writes what came, with placeholders, in place of what was expected: read it before you
believe it.
"""
import concurrent.futures
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TIME_LIMIT_S = 60
PLACEHOLDERS = {
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "<id>": r"[0-9a-f]{32}",
    "<n>": r"-?\d+(?:\.\d+)?",
    "<any>": r".*?",
}


class Step:
    """One command, and what it is expected to do."""

    def __init__(self, command):
        self.command, self.out, self.err, self.code = command, [], [], 0


def parse(path):
    """The lines to keep above each step, files by name, and the steps."""
    files, steps, layout = {}, [], []
    lines = iter(path.read_text(encoding="utf-8").split("\n"))
    for line in lines:
        if line.startswith("@ "):
            name, body = line[2:].strip(), []
            layout.append(line)
            for line in lines:
                layout.append(line)
                if line == "@":
                    break
                body.append(line)
            files[name] = "".join(b + "\n" for b in body)
        elif line.startswith("$ "):
            steps.append(Step(line[2:]))
            layout.append(steps[-1])
        elif line.startswith("  ") and layout and isinstance(layout[-1], Step):
            steps[-1].command += "\n" + line
        elif line[:1] in (">", "!") and steps:
            (steps[-1].out if line[0] == ">" else steps[-1].err).append(line[2:])
        elif line.startswith("? "):
            steps[-1].code = int(line[2:])
        elif line == "" or line.startswith("#"):
            layout.append(line)
        else:
            raise ValueError(f"{path}: what is this line? {line}")
    return layout, files, steps


def to_pattern(line):
    parts = re.split("(" + "|".join(map(re.escape, PLACEHOLDERS)) + ")", line)
    return "".join(PLACEHOLDERS.get(p, re.escape(p)) for p in parts)


def matches(expected, got):
    """Whether the lines got are what is expected, where "..." is any number of lines."""
    whole = "".join(r"(?:.*\n)*?" if e == "..." else to_pattern(e) + "\n" for e in expected)
    return re.fullmatch(whole, "".join(line + "\n" for line in got)) is not None


def split(text):
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def generalise(line):
    line = re.sub(r"(?<![0-9])(_ref/)\d{16}", r"\g<1><n>", line)
    line = re.sub(r"\b[0-9a-f]{32}\b", "<id>", line)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    return re.sub(today + r"T[0-9:.]+Z", "<time>", line)


class Case:
    def __init__(self, path, command):
        self.path, self.name, self.command = path, path.stem, command
        self.layout, self.files, self.steps = parse(path)

    def environment(self, folder):
        keep_aws = "S3STORE_TEST_URL" in os.environ
        env = {k: v for k, v in os.environ.items() if keep_aws or not k.startswith("AWS_")}
        base = os.environ.get("S3STORE_TEST_URL", f"file://{folder}/store")
        unique = "/" + folder.name if keep_aws else ""
        env |= {
            "PATH": f"{folder}/bin:{env.get('PATH', '')}",
            "HOME": str(folder),
            "LC_ALL": "C",
            "TZ": "America/New_York",  # nothing may depend on it
            "W": str(folder),
            "DATA": str(pathlib.Path(__file__).resolve().parent.parent / "data"),
            "B": f"{base}{unique}",
            "D": f"{base}{unique}/d" + ("" if keep_aws else "?fsync=0"),
        }
        return env

    def run(self, update):
        """Problems, as texts."""
        problems = []
        folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-cli-")).resolve()
        try:
            (folder / "store").mkdir()
            (folder / "bin").mkdir()
            (folder / "bin" / "s3store").symlink_to(self.command)
            for name, body in self.files.items():
                (folder / name).write_text(body, encoding="utf-8")
            env = self.environment(folder)
            for step in self.steps:
                problem = self.run_step(step, folder, env, update)
                if problem:
                    problems.append(problem)
                    break
            if update:
                self.write()
        finally:
            shutil.rmtree(folder)
        return problems

    def run_step(self, step, folder, env, update):
        try:
            done = subprocess.run(["bash", "-o", "pipefail", "-c", step.command], cwd=folder, env=env,
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=TIME_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"$ {step.command}\n  still running after {TIME_LIMIT_S} s"
        out, err = (self.anonymous(t.decode("utf-8", "replace"), env)
                    for t in (done.stdout, done.stderr))
        if matches(step.out, out) and matches(step.err, err) and done.returncode == step.code:
            return None
        if update:
            if not matches(step.out, out):
                step.out = [generalise(line) for line in out]
            if not matches(step.err, err):
                step.err = [generalise(line) for line in err]
            step.code = done.returncode
            return None
        shown = [f"$ {step.command}"]
        for sign, expected, got in ((">", step.out, out), ("!", step.err, err)):
            if not matches(expected, got):
                shown += [f"  -{sign} {e}" for e in expected] + [f"  +{sign} {g}" for g in got]
        if done.returncode != step.code:
            shown.append(f"  exit code {done.returncode}, expected {step.code}")
        return "\n".join(shown)

    @staticmethod
    def anonymous(text, env):
        """Without the names that differ from run to run."""
        for name in ("D", "B", "W"):
            text = text.replace(env[name], "$" + name)
        return split(text)

    def write(self):
        lines = []
        for item in self.layout:
            if not isinstance(item, Step):
                lines.append(item)
                continue
            lines.append("$ " + item.command)
            lines += [f"> {line}".rstrip() if line == "" else f"> {line}" for line in item.out]
            lines += [f"! {line}" for line in item.err]
            if item.code != 0:
                lines.append(f"? {item.code}")
        self.path.write_text("\n".join(lines), encoding="utf-8")


def main(arguments):
    update = "--update" in arguments
    arguments = [a for a in arguments if a != "--update"]
    command, folder, names = os.path.abspath(arguments[0]), pathlib.Path(arguments[1]), arguments[2:]
    if not os.access(command, os.X_OK):
        sys.exit(f"run.py: {command} is not a program")
    cases = [Case(p, command) for p in sorted(folder.glob("*.case"))
             if not names or p.stem in names]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for case, problems in zip(cases, pool.map(lambda c: c.run(update), cases)):
            print(f"{'FAIL' if problems else 'ok'}  {case.name}")
            for problem in problems:
                print("  " + problem.replace("\n", "\n  "))
            failed += bool(problems)
    print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
