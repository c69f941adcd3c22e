"""Lines and branches that ran, by folder: what gcov says of a build (scripts/coverage).

    report.py BUILD EXCEPTIONS [--list] [--lax] [FOLDER...]
                    --list: also every line of the folders that did not run
                    --lax: does not fail when one of them is not among the exceptions, an exception is none, or
                           fewer than 95 % of a folder's branches were taken
                    FOLDER: of src/, of the protocol's; all of those when none is named

An exception is a line "path ::: text of the line ::: reason"; the text stands for every line of the file that
reads so and did not run. Lines that begin with '#' and empty ones say nothing.

Branches are those that the source shows: the build does not optimise, C has no exceptions to throw, and src/ has
no assertions. Each operand of && and || counts both its ways, and none is left out.
"""
import collections
import json
import pathlib
import subprocess
import sys

PROTOCOL = ("dataset", "stream", "scan", "read", "write", "view", "maintain")
BRANCHES_MIN = 0.95


class Source:
    """One file: how often its lines ran, and the ways out of their branches."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.Counter()

    def add(self, line):
        """Counts of one build of the line are added to those of others."""
        number = line["line_number"]
        self.lines[number] += line["count"]
        for i, branch in enumerate(line["branches"]):
            self.branches[number, i] += branch["count"]


def sources_of(build, root):
    """All files of src/ and cli/ that gcov knows, by path."""
    found = collections.defaultdict(Source)
    notes = [p for p in pathlib.Path(build).rglob("*.gcno")
             if "/CMakeFiles/s3s_" in str(p) or "/cli/" in str(p)]
    for note in notes:
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities",
                               str(note)], capture_output=True, text=True, check=False)
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"]:
                path = pathlib.Path(file["file"])
                path = (path if path.is_absolute() else pathlib.Path(build) / path).resolve()
                if not path.is_relative_to(root):
                    continue
                name = str(path.relative_to(root))
                if name.startswith(("src/", "cli/")):
                    for line in file["lines"]:
                        found[name].add(line)
    return found


def exceptions_of(path):
    """(file, text) -> reason."""
    found = {}
    for text in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if text.strip() and not text.startswith("#"):
            name, line, reason = text.split(" ::: ")
            found[name.strip(), line.strip()] = reason.strip()
    return found


def report(sources):
    """Prints sums by folder; returns them: lines that ran, lines, branches that were taken, branches."""
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for name, source in sources.items():
        folder = "/".join(name.split("/")[:2]) if name.startswith("src/") else "cli"
        for key in (folder, "all"):
            s = sums[key]
            s[0] += sum(c > 0 for c in source.lines.values())
            s[1] += len(source.lines)
            s[2] += sum(c > 0 for c in source.branches.values())
            s[3] += len(source.branches)
    print(f"{'folder':<14}{'lines':>14}{'':>9}{'branches':>14}")
    for folder in sorted(sums, key=lambda f: (f == "all", f)):
        ran, lines, taken, branches = sums[folder]
        print(f"{folder:<14}{ran:>7}/{lines:<7}{100 * ran / max(1, lines):>7.2f}% "
              f"{taken:>7}/{branches:<7}{100 * taken / max(1, branches):>7.2f}%")
    return sums


def missing_lines(sources, exceptions, prefixes):
    """Lines that did not run and are not excused, and the exceptions that excused one."""
    used, missing = set(), []
    for name in sorted(n for n in sources if n.startswith(prefixes)):
        text = pathlib.Path(name).read_text(encoding="utf-8").splitlines()
        for number, count in sorted(sources[name].lines.items()):
            line = text[number - 1].strip() if number <= len(text) else "(gone since it was built)"
            if count == 0 and (name, line) in exceptions:
                used.add((name, line))
            elif count == 0:
                missing.append(f"{name}:{number}: {line}")
    return missing, used


def main():
    """The report, then what is missing."""
    build, exceptions = sys.argv[1], exceptions_of(sys.argv[2])
    options = [a for a in sys.argv[3:] if a.startswith("--")]
    folders = [a for a in sys.argv[3:] if not a.startswith("--")] or list(PROTOCOL)
    unknown = [a for a in options if a not in ("--list", "--lax")]
    unknown += [f for f in folders if not pathlib.Path("src", f).is_dir()]
    if unknown:
        sys.exit(f"coverage: there is no {unknown[0]}")
    sources = sources_of(build, pathlib.Path.cwd())
    if not sources:
        sys.exit("coverage: nothing was counted")
    sums = report(sources)
    prefixes = tuple(f"src/{f}/" for f in folders)
    missing, used = missing_lines(sources, exceptions, prefixes)
    if "--list" in options:
        print("\n".join(missing))
    stale = sorted(e for e in set(exceptions) - used if e[0].startswith(prefixes))
    for name, line in stale:
        print(f"runs after all, or is gone: {name}: {line}")
    few = [f for f in folders if sums[f"src/{f}"][2] < BRANCHES_MIN * sums[f"src/{f}"][3]]
    for folder in few:
        print(f"fewer than {BRANCHES_MIN:.0%} of the branches of src/{folder} were taken")
    print(f"coverage: {len(missing)} lines of {' '.join(folders)} did not run and are not excused; "
          f"{len(used)} are")
    sys.exit(1 if "--lax" not in options and (missing or stale or few) else 0)


main()
