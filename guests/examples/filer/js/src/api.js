// The filer's API: JSON over HTTPS, for whoever has the account's token. Volumes have names that the client chooses.
//
// A volume is `{ id, bytes }`. The endpoint is the host's, or a fake one in test/: `send` gets method, path and body, and
// has status and text.

import { sha256 } from './sha256.js';

const GIB = 1024n ** 3n;
const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);

// In bytes; a volume's id may have no more.
const LONGEST = 128;

// A condition of the contract, with a sentence for the operator. `payload` is where the bindings look.
export class Failure extends Error {
  constructor(condition, sentence) {
    super(`${condition}: ${sentence}`);
    this.payload = { tag: condition, val: sentence };
  }
}

// Make a volume of that size, unless it is there. The filer answers 409 where it is there with another size.
export function create(send, id, capacity) {
  const bytes = sizeWithin(capacity);
  const answer = send('PUT', path(id), { bytes });
  if (answer.status !== 409) return volume(`make volume ${id}`, answer);
  const there = find(send, id);
  if (fits(there.bytes, capacity)) return there;
  throw new Failure('already-exists', `volume ${id} is there already, with ${there.bytes} bytes`);
}

export function remove(send, id) {
  if (!isId(id)) return;
  const answer = send('DELETE', path(id));
  if (answer.status !== 404) expect(`delete volume ${id}`, answer);
}

export function find(send, id) {
  return volume(`look at volume ${id}`, send('GET', path(id)));
}

// Sizes only grow: the filer answers 409 to a smaller one, which is large enough for whoever asked.
export function grow(send, id, capacity) {
  const there = find(send, id);
  const { requiredBytes = 0n } = capacity;
  if (there.bytes >= requiredBytes) {
    if (fits(there.bytes, capacity)) return there.bytes;
    throw new Failure('out-of-range', `volume ${id} has ${there.bytes} bytes already, and cannot shrink`);
  }
  return volume(`grow volume ${id}`, send('PATCH', path(id), { bytes: sizeWithin(capacity) })).bytes;
}

// What the filer has for a name of Kubernetes': letters and digits in lower case, and dashes. All other bytes are written
// as numbers. What is too long then is cut, and ends with `_x`, which else none has, and the SHA-256 of the name. So no two
// names get one id.
export function idFor(name) {
  if (name === '') throw new Failure('invalid-argument', 'a volume without a name has no id; write one');
  const bytes = new TextEncoder().encode(name);
  const id = Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return /[a-z0-9-]/.test(letter) ? letter : `_${byte.toString(16).padStart(2, '0')}`;
  }).join('');
  if (id.length <= LONGEST) return id;
  const end = `_x${sha256(bytes)}`;
  return id.slice(0, LONGEST - end.length) + end;
}

// An id may be what a person wrote into a PersistentVolume.
export function isId(id) {
  return id.length <= LONGEST && /^[a-z0-9_-]+$/.test(id);
}

function path(id) {
  if (isId(id)) return `/volumes/${id}`;
  throw new Failure('invalid-argument', `volume "${id}": the filer has names of small letters, digits, - and _`);
}

// The filer counts in GiB. JSON's numbers are exact up to 2^53.
function sizeWithin({ requiredBytes = GIB, limitBytes }) {
  const bytes = ((requiredBytes + GIB - 1n) / GIB || 1n) * GIB;
  if (bytes > LARGEST || (limitBytes !== undefined && bytes > limitBytes)) {
    const most = limitBytes ?? LARGEST;
    throw new Failure('out-of-range', `${bytes} bytes in whole GiB are more than ${most}; ask for less, or for whole GiB`);
  }
  return Number(bytes);
}

function fits(bytes, { requiredBytes = 0n, limitBytes = bytes }) {
  return requiredBytes <= bytes && bytes <= limitBytes;
}

function volume(what, answer) {
  expect(what, answer);
  let said;
  try {
    said = JSON.parse(answer.text);
  } catch {
    said = undefined;
  }
  if (!isId(said?.id ?? '') || !Number.isSafeInteger(said.bytes) || said.bytes < 0) {
    throw new Failure('internal', `${what}: the filer answered with what is no volume`);
  }
  return { id: said.id, bytes: BigInt(said.bytes) };
}

const CONDITIONS = {
  400: 'invalid-argument',
  401: 'denied',
  403: 'denied',
  404: 'not-found',
  409: 'failed-precondition',
  423: 'in-progress',
  429: 'unavailable',
  507: 'exhausted',
};

function expect(what, { status }) {
  if (status >= 200 && status < 300) return;
  const condition = CONDITIONS[status] ?? (status >= 500 ? 'unavailable' : 'internal');
  const cure = condition === 'denied' ? "; look at the token in the StorageClass's Secret" : '';
  throw new Failure(condition, `${what}: the filer answered ${status}${cure}`);
}
