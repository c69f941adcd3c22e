#!/usr/bin/env python3
"""The Parquet engine beside pyarrow and DuckDB: one thread each, the same work, runs in turn.

    parquet.py BUILD [--flights FILE.parquet] [--runs N] [--rows PERCENT] [SET...]

Reading: all values of all columns are made. DuckDB hands out chunks, and every one is fetched: beside
it batches are read and dropped (read). pyarrow's read_table keeps all: beside it so do we (table).
Writing: from memory to a file, without waiting for the disk. Seconds are CPU seconds of the
process, so that a busy machine disturbs all alike; each engine's best run counts. GB/s are of
the size of the Arrow buffers. The file of the flights is also told by BENCH_FLIGHTS_PARQUET.
Peers are taken from where Python and Node find them, else installed under BUILD/peers by pip and
npm; one that is out of reach is left out, with the reason.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class OutOfReach(Exception):
    pass


class Engine:
    """A process that answers one line with one line."""

    def __init__(self, name, argv, env=None):
        self.name = name
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().split()
        except BrokenPipeError:
            answer = []
        if len(answer) < 4:
            sys.exit(f"parquet: {self.name} did not answer \"{' '.join(map(str, words))}\"")
        return [float(answer[0]), float(answer[1]), int(answer[2]), int(answer[3])]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def quiet(argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def open_pyarrow(peers):
    python = sys.executable
    if quiet([python, "-c", "import pyarrow.parquet"]).returncode != 0:
        python = peers / "venv" / "bin" / "python"
        if quiet([sys.executable, "-m", "venv", peers / "venv"]).returncode != 0:
            raise OutOfReach("python3 cannot make a virtual environment")
        done = quiet([python, "-m", "pip", "install", "--quiet", "pyarrow"], timeout=600)
        if done.returncode != 0:
            raise OutOfReach(f"pip: {last_line(done.stdout)}")
    return Engine("pyarrow", [python, HERE / "parquet_pyarrow.py"])


def open_duckdb(peers):
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise OutOfReach("there is no node or no npm")
    folder = peers / "node"
    if not (folder / "node_modules" / "@duckdb" / "node-api").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        done = quiet(["npm", "install", "--silent", "--no-fund", "--no-audit", "@duckdb/node-api"],
                     cwd=folder, timeout=600)
        if done.returncode != 0:
            raise OutOfReach(f"npm: {last_line(done.stdout)}")
    script = folder / "parquet_duckdb.mjs"
    shutil.copyfile(HERE / "parquet_duckdb.mjs", script)  # modules are looked up from its place
    return Engine("DuckDB", ["node", script])


def open_engines(build):
    engines = [Engine("s3store", [build / "bench" / "parquet_bench", "serve"])]
    for name, opener in (("DuckDB", open_duckdb), ("pyarrow", open_pyarrow)):
        try:
            engines.append(opener(build / "peers"))
        except (OutOfReach, subprocess.TimeoutExpired, OSError) as reason:
            print(f"SKIP {name}: out of reach: {reason}")
    return engines


def measure(engines, runs, *words):
    """Best CPU seconds of each engine, in turn; and its first answer."""
    best, first = {}, {}
    for run in range(runs + 1):  # the first warms up
        for engine in engines:
            arguments = [w(engine) if callable(w) else w for w in words]
            answer = engine.ask(*arguments)
            first.setdefault(engine.name, answer)
            if run > 0:
                best[engine.name] = min(best.get(engine.name, answer[0]), answer[0])
    return best, first


def show(what, best, size, misses):
    ours = best["s3store"]
    text = f"{what:<28}{ours * 1e3:9.1f} ms {size / ours / 1e9:6.2f} GB/s"
    for name, seconds in best.items():
        if name == "s3store":
            continue
        text += f"   {name} {seconds * 1e3:8.1f} ms = {seconds / ours:5.2f} x"
        if seconds < ours:
            misses.append(f"{what}: {name} is faster ({seconds / ours:.2f} x)")
    print(text, flush=True)


def bench(engines, name, path, folder, runs, misses):
    duckdb = [e for e in engines if e.name in ("s3store", "DuckDB")]
    pyarrow = [e for e in engines if e.name in ("s3store", "pyarrow")]
    best, first = measure(duckdb, runs, "read", path)
    if len(duckdb) > 1:
        show(f"{name} read", best, first["s3store"][2], misses)
    best, seen = measure(pyarrow, runs, "table", path)
    first.update(seen)
    rows = {answer[3] for answer in first.values()}
    if len(rows) != 1:
        misses.append(f"{name}: the engines disagree about the number of rows: {rows}")
    size = first["s3store"][2]
    show(f"{name} read table", best, size, misses)
    for engine in engines:
        engine.ask("load", path)
    for codec in ("snappy", "zstd"):
        best, first = measure(engines, runs, "write",
                              lambda engine: folder / f"{engine.name}.parquet", codec)
        show(f"{name} write {codec}", best, size, misses)
        sizes = {engine: answer[2] for engine, answer in first.items()}
        print("    bytes written: " + ", ".join(f"{e} {s:,}" for e, s in sizes.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--flights", default=os.environ.get("BENCH_FLIGHTS_PARQUET"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100, help="of the made-up tables, in percent")
    parser.add_argument("sets", nargs="*")
    options = parser.parse_args()
    build = options.build.resolve()
    tool = build / "bench" / "parquet_bench"
    engines = open_engines(build)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s3store-parquet-"))
    misses = []
    names = dict(line.split() for line in subprocess.run(
        [tool, "names"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines())
    try:
        if not options.sets or "flights" in options.sets:
            if options.flights and pathlib.Path(options.flights).is_file():
                bench(engines, "flights", pathlib.Path(options.flights).resolve(), folder,
                      options.runs, misses)
            else:
                print("SKIP flights: no file is named (--flights, BENCH_FLIGHTS_PARQUET)")
        for name, rows in names.items():
            if options.sets and name not in options.sets:
                continue
            path = folder / f"{name}.parquet"
            subprocess.run([tool, "make", name, path, str(int(rows) * options.rows // 100)],
                           check=True)
            bench(engines, name, path, folder, options.runs, misses)
            path.unlink()
    finally:
        for engine in engines:
            engine.close()
        shutil.rmtree(folder)
    for miss in misses:
        print(f"MISSED: {miss}")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
