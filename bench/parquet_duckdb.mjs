// DuckDB, one thread: answers the lines that parquet.c describes.
import { createInterface } from "node:readline";
import { statSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";

const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
const connection = await instance.connect();
let rows = 0;

async function timed(work) {
  const cpu = process.cpuUsage(), wall = process.hrtime.bigint();
  const result = await work();
  const used = process.cpuUsage(cpu), passed = Number(process.hrtime.bigint() - wall) / 1e9;
  return [(used.user + used.system) / 1e6, passed, result];
}

// Every chunk is fetched, and with it every value of it is there.
async function readAll(path) {
  const result = await connection.stream(`SELECT * FROM read_parquet('${path}')`);
  let count = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return count;
    count += chunk.rowCount;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, path, codec] = line.trim().split(" ");
  if (verb === "read") {
    const [cpu, wall, count] = await timed(() => readAll(path));
    console.log(`${cpu} ${wall} 0 ${count}`);
  } else if (verb === "load") {
    await connection.run(`CREATE OR REPLACE TABLE t AS SELECT * FROM read_parquet('${path}')`);
    const counted = await connection.runAndReadAll("SELECT count(*) FROM t");
    rows = Number(counted.getRows()[0][0]);
    console.log(`0 0 0 ${rows}`);
  } else {
    const sql = `COPY t TO '${path}' (FORMAT parquet, COMPRESSION ${codec})`;
    const [cpu, wall] = await timed(() => connection.run(sql));
    console.log(`${cpu} ${wall} ${statSync(path).size} ${rows}`);
  }
}
