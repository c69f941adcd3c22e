// arrow-rs (as parquet-wasm): Parquet to an Arrow stream, and back.
//   wasm.mjs read IN.parquet OUT.arrows | wasm.mjs write IN.arrows OUT.parquet
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'
const require = createRequire(process.cwd() + '/')
const wasm = require('parquet-wasm')
const [what, from, to] = process.argv.slice(2)
if (what === 'read') {
  writeFileSync(to, wasm.readParquet(new Uint8Array(readFileSync(from))).intoIPCStream())
} else {
  const table = wasm.Table.fromIPCStream(new Uint8Array(readFileSync(from)))
  const properties = new wasm.WriterPropertiesBuilder()
    .setCompression(wasm.Compression.ZSTD).build()
  writeFileSync(to, wasm.writeParquet(table, properties))
}
