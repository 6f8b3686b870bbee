import assert from 'node:assert/strict';
import test from 'node:test';
import { create, find, grow, idFor, remove } from '../src/api.js';

const GIB = 1024n ** 3n;

// As much of the filer as is asked here. `fails` are statuses of the next answers.
function filer(...fails) {
  const volumes = new Map();
  const answer = (status, id) => ({ status, text: JSON.stringify({ id, bytes: volumes.get(id) }) });
  const change = (id, bytes, wrong) => {
    if (wrong) return answer(409, id);
    volumes.set(id, bytes);
    return answer(200, id);
  };
  const send = (method, path, body) => {
    if (fails.length > 0) return { status: fails.shift(), text: 'no' };
    const id = path.replace('/volumes/', '');
    const bytes = volumes.get(id);
    if (method === 'PUT') return change(id, body.bytes, bytes !== undefined && bytes !== body.bytes);
    if (bytes === undefined) return { status: 404, text: '' };
    if (method === 'PATCH') return change(id, body.bytes, bytes > body.bytes);
    if (method === 'DELETE') volumes.delete(id);
    return { status: method === 'GET' ? 200 : 204, text: JSON.stringify({ id, bytes }) };
  };
  return { send, volumes };
}

const refused = (condition) => ({ payload }) => payload?.tag === condition;

test('a volume comes, grows and goes, however often it is asked for', () => {
  const { send, volumes } = filer();
  const capacity = { requiredBytes: GIB + 1n };
  for (const _ of [1, 2]) assert.deepEqual(create(send, 'music', capacity), { id: 'music', bytes: 2n * GIB });
  for (const _ of [1, 2]) assert.equal(grow(send, 'music', { requiredBytes: 3n * GIB }), 3n * GIB);
  assert.deepEqual(create(send, 'music', { requiredBytes: GIB }), { id: 'music', bytes: 3n * GIB });
  for (const _ of [1, 2]) remove(send, 'music');
  assert.equal(volumes.size, 0);
  assert.throws(() => find(send, 'music'), refused('not-found'));
});

test('a size that does not fit is refused', () => {
  const { send } = filer();
  create(send, 'music', { requiredBytes: 2n * GIB });
  const less = { requiredBytes: GIB, limitBytes: GIB };
  assert.throws(() => create(send, 'music', less), refused('already-exists'));
  assert.throws(() => grow(send, 'music', less), refused('out-of-range'));
  assert.throws(() => create(send, 'films', { requiredBytes: 1n, limitBytes: 2n }), refused('out-of-range'));
  assert.throws(() => create(send, 'films', { requiredBytes: 2n ** 63n }), refused('out-of-range'));
});

test('every name gets an id of its own', () => {
  assert.equal(idFor('pvc-1'), 'pvc-1');
  const long = ['a', 'b'].map((last) => 'ü'.repeat(63) + last);
  const names = ['A', 'a', 'a/b', 'a-b', 'a_b', 'a_2fb', '..', 'ü', 'n'.repeat(128), ...long];
  const ids = new Set(names.map(idFor));
  assert.equal(ids.size, names.length);
  const { send } = filer();
  for (const id of ids) assert.throws(() => find(send, id), refused('not-found'));
  assert.throws(() => idFor(''), refused('invalid-argument'));
});

test('an id that a person wrote asks for nothing else', () => {
  const send = () => assert.fail('the filer was asked');
  for (const id of ['', '..', 'music/..', 'A', 'n'.repeat(129)]) {
    assert.throws(() => find(send, id), refused('invalid-argument'));
    remove(send, id);
  }
});

test('what the filer answers is told as what it means', () => {
  for (const [status, condition] of [[401, 'denied'], [404, 'not-found'], [423, 'in-progress'], [500, 'unavailable'],
    [507, 'exhausted'], [418, 'internal'], [200, 'internal']]) {
    assert.throws(() => find(filer(status).send, 'music'), refused(condition), `${status}`);
  }
});
