"""pyarrow, one thread: answers the lines that parquet.c describes."""
import os
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

pa.set_cpu_count(1)
pa.set_io_thread_count(1)
table = None


def timed(work):
    cpu, wall = time.process_time(), time.monotonic()
    result = work()
    return time.process_time() - cpu, time.monotonic() - wall, result


for line in sys.stdin:
    verb, path, *rest = line.split()
    if verb == "table":
        cpu, wall, result = timed(lambda: pq.read_table(path, use_threads=False))
        print(f"{cpu:.6f} {wall:.6f} {result.nbytes} {result.num_rows}", flush=True)
        del result
    elif verb == "load":
        table = pq.read_table(path, use_threads=False)
        print(f"0 0 {table.nbytes} {table.num_rows}", flush=True)
    else:
        cpu, wall, _ = timed(lambda: pq.write_table(table, path, compression=rest[0]))
        print(f"{cpu:.6f} {wall:.6f} {os.path.getsize(path)} {table.num_rows}", flush=True)
