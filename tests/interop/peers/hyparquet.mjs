// hyparquet: the rows of a file as JSON lines: integers as text, bytes in hexadecimal.
//   hyparquet.mjs FILE
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
const require = createRequire(process.cwd() + '/')
const load = (name) => import(pathToFileURL(require.resolve(name)))
const { parquetReadObjects } = await load('hyparquet')
const { asyncBufferFromFile } = await import(
  pathToFileURL(require.resolve('hyparquet').replace(/hyparquet\.js$/, 'node.js')))
const { compressors } = await load('hyparquet-compressors')
const raw = (v) => v
const parsers = { timestampFromMilliseconds: raw, timestampFromMicroseconds: raw,
  timestampFromNanoseconds: raw, dateFromDays: raw, jsonFromBytes: raw,
  stringFromBytes: (b) => b && new TextDecoder().decode(b) }
function plain(v) {
  if (v === undefined || v === null) return null
  if (typeof v === 'bigint' || typeof v === 'number') return Object.is(v, -0) ? '-0' : String(v)
  if (v instanceof Uint8Array) return Buffer.from(v).toString('hex')
  if (Array.isArray(v)) return v.map(plain)
  if (typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]))
  return v
}
const file = await asyncBufferFromFile(process.argv[2])
for (const row of await parquetReadObjects({ file, compressors, parsers, utf8: false }))
  console.log(JSON.stringify(plain(row)))
