// What becomes of a volume: a directory of the pool, whose name is the volume's id.
//
// The pool is the host's `directory`, or a fake one in test/. Every function may be called again after a lost answer, and
// then finds what it did.

import { sha256 } from './sha256.js';

// In bytes; a volume's id may have no more.
const LONGEST = 128;

// A condition of the contract, with a sentence for the operator. `payload` is where the bindings look.
export class Failure extends Error {
  constructor(condition, sentence) {
    super(`${condition}: ${sentence}`);
    this.payload = { tag: condition, val: sentence };
  }
}

// Make the volume for a claim, unless it is there: its id.
export function create(pool, name, mode) {
  const id = idFor(name);
  pool.mkdir(id, mode);
  return id;
}

// Remove the volume with all that is in it. What `create` cannot have made is not there.
export function remove(pool, id) {
  if (isId(id)) pool.removeTree(id);
}

// `not-found` unless the volume is there. An id may be what a person wrote.
export function require(pool, id) {
  if (!isId(id)) {
    const sentence = `volume "${id}": write the name of one directory of the pool, not beginning with a dot`;
    throw new Failure('invalid-argument', sentence);
  }
  if (kindOf(pool, id) !== 'directory') throw new Failure('not-found', `the pool has no volume ${id}`);
}

// Permission bits as a class says them.
export function mode(written = '0755') {
  if (/^[0-7]{1,4}$/.test(written)) return parseInt(written, 8);
  throw new Failure('invalid-argument', `mode "${written}": write octal digits, as 0755`);
}

// Letters, digits, dots and dashes stay as they are, all others become their bytes. What is too long then is cut, and
// ends with `_.`, which else none has, and the SHA-256 of the name. So no two names get one id.
export function idFor(name) {
  if (name === '') throw new Failure('invalid-argument', 'a volume without a name has no id; write one');
  const bytes = new TextEncoder().encode(name);
  const id = Array.from(bytes, written).join('');
  if (id.length <= LONGEST) return id;
  const end = `_.${sha256(bytes)}`;
  return id.slice(0, LONGEST - end.length) + end;
}

function written(byte, at) {
  const letter = String.fromCharCode(byte);
  const stays = at === 0 ? /[A-Za-z0-9-]/ : /[A-Za-z0-9.-]/;
  return stays.test(letter) ? letter : `_${byte.toString(16).padStart(2, '0')}`;
}

function isId(id) {
  return id.length <= LONGEST && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(id);
}

function kindOf(pool, path) {
  try {
    return pool.stat(path).kind;
  } catch (error) {
    if (error.payload?.tag === 'not-found') return undefined;
    throw error;
  }
}
