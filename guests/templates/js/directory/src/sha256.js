// SHA-256, as FIPS 180-4 has it: the engine's own would need the features that build without.

const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime !== 0)) PRIMES.push(n);

// The first 32 bits behind the point.
const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32) | 0;

const ROUNDS = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

const turned = (word, by) => (word >>> by) | (word << (32 - by));

// In hexadecimal digits.
export function sha256(bytes) {
  const message = padded(bytes);
  let state = START;
  for (let at = 0; at < message.byteLength; at += 64) state = withBlock(state, message, at);
  return state.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

// Behind it a bit, and its length in bits at the end of a block.
function padded(bytes) {
  const length = Math.ceil((bytes.length + 9) / 64) * 64;
  const message = new DataView(new ArrayBuffer(length));
  bytes.forEach((byte, at) => message.setUint8(at, byte));
  message.setUint8(bytes.length, 0x80);
  message.setBigUint64(length - 8, BigInt(bytes.length) * 8n);
  return message;
}

function withBlock(state, message, begin) {
  const words = Array.from({ length: 16 }, (_, at) => message.getInt32(begin + 4 * at));
  for (let at = 16; at < 64; at++) {
    const [early, late] = [words[at - 15], words[at - 2]];
    const first = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const second = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    words.push((words[at - 16] + first + words[at - 7] + second) | 0);
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let at = 0; at < 64; at++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const first = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + choice + ROUNDS[at] + words[at]) | 0;
    const second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority) | 0;
    [a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
  }
  return [a, b, c, d, e, f, g, h].map((word, at) => (word + state[at]) | 0);
}
