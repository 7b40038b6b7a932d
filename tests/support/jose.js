// SPDX-License-Identifier: Apache-2.0
// Sealed values by another implementation of JOSE (npm's jose, found by NODE_PATH).
//
//   jose.js open KEY FILE          the plaintext of a value, whose header goes to standard error
//   jose.js seal KEY HEADER FILE   a value with this protected header (JSON) and the file's content
//
// KEY is base64url, as credentials carry it.

const fs = require('fs')
const { CompactEncrypt, compactDecrypt } = require('jose')

async function main () {
  const [verb, key, ...rest] = process.argv.slice(2)
  const secret = new Uint8Array(Buffer.from(key, 'base64url'))
  if (verb === 'open') {
    const value = fs.readFileSync(rest[0], 'ascii').trim()
    const { plaintext, protectedHeader } = await compactDecrypt(value, secret)
    process.stderr.write(JSON.stringify(protectedHeader) + '\n')
    process.stdout.write(plaintext)
  } else if (verb === 'seal') {
    const value = await new CompactEncrypt(new Uint8Array(fs.readFileSync(rest[1])))
      .setProtectedHeader(JSON.parse(rest[0])).encrypt(secret)
    process.stdout.write(value + '\n')
  } else {
    throw new Error('open or seal')
  }
}

main().catch(error => {
  process.stderr.write(`${error.code || ''} ${error.message}\n`)
  process.exit(1)
})
