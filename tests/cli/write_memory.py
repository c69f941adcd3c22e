#!/usr/bin/env python3
"""A generated CSV through `s3store write -` stays below --memory + 32 MiB, wherever it is cut; and so
does the same as a Parquet file, which is decoded ahead.

    write_memory.py COMMAND      200 MB; with S3S_FULL=1 10 GB
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

ROWS_PER_BLOCK = 20000


def blocks(total_bytes):
    """CSV text until there is enough of it; the number of rows comes last."""
    yield b"day,id,version,price,place,note\n"
    # Blocks differ in what stands for "@": making every row anew would take longer than writing it.
    block = "".join(
        f"2024-{1 + i % 12:02}-{1 + i // 12 % 28:02},@{i:05},{i * 7 % 1000},{i * 37 % 100000 / 8},"
        f"{'abcdefghij'[i % 10] * 8},n{i * 2654435761 % 4294967296:x}@\n"
        for i in range(ROWS_PER_BLOCK)).encode()
    number = written = 0
    while written < total_bytes:
        number += 1
        text = block.replace(b"@", b"%d" % number)
        written += len(text)
        yield text
    yield number * ROWS_PER_BLOCK


def command_line(command, url, memory_mib, *rest):
    return [command, "write", url, *rest, "--token", "t", "--memory", f"{memory_mib}M"]


def ended(process, out):
    """Rows that were committed, lines, and peak MiB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"write_memory: exit code {process.returncode}")
    lines = [json.loads(line) for line in out.splitlines()]
    return sum(line["row_count"] for line in lines), len(lines), usage.ru_maxrss / 1024


def write_file(argv):
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        return ended(process, process.stdout.read())


def write_csv(argv, total_bytes):
    """Rows that were sent, and what became of them."""
    sent = 0
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out = []
        reader = threading.Thread(target=lambda: out.append(process.stdout.read()))
        reader.start()
        for block in blocks(total_bytes):
            if isinstance(block, int):
                sent = block
            else:
                process.stdin.write(block)
        process.stdin.close()
        reader.join()
        return sent, ended(process, out[0])


def main(command):
    full = os.environ.get("S3S_FULL") == "1"
    total_bytes = 10_000_000_000 if full else 200_000_000
    problems = []
    # Few partitions with chunks, and many without; a budget that holds the input, and one that does not.
    cases = [("year=day:year", 500000, 64)] + [("day", 1000000, 256)] * full
    for parts, chunk_rows, memory_mib in cases:
        with tempfile.TemporaryDirectory(prefix="s3store-") as folder:
            urls = {form: f"file://{folder}/{form}?fsync=0" for form in ("csv", "parquet")}
            for url in urls.values():
                subprocess.run([command, "init", url, "--partition-by", parts, "--chunk-rows",
                                str(chunk_rows)], check=True, stdout=subprocess.DEVNULL)
            argv = command_line(command, urls["csv"], memory_mib, "-", "--format", "csv")
            sent, results = write_csv(argv, total_bytes)
            results = {"csv": results}
            if not full:
                path = f"{folder}/all.parquet"
                with open(path, "wb") as file:
                    subprocess.run([command, "read", urls["csv"], "--format", "parquet"], check=True,
                                   stdout=file)
                results["parquet"] = write_file(
                    command_line(command, urls["parquet"], memory_mib, path))
            for form, (got, commits, peak) in results.items():
                print(f"{form} by {parts}: {sent} rows in {commits} commits, {peak:.0f} MiB with "
                      f"--memory {memory_mib}M")
                if got != sent:
                    problems.append(f"{form} by {parts}: {got} of {sent} rows were committed")
                if peak >= memory_mib + 32:
                    problems.append(f"{form} by {parts}: {peak:.0f} MiB were needed")
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
