import assert from 'node:assert/strict';
import test from 'node:test';
import { Failure, create, idFor, mode, remove, require } from '../src/volumes.js';

// As much of the host's `directory` as is used here.
class FakeDirectory {
  entries = new Map();

  mkdir(path, mode) {
    if (!this.entries.has(path)) this.entries.set(path, mode);
  }

  stat(path) {
    if (this.entries.has(path)) return { kind: 'directory', mode: this.entries.get(path) };
    throw new Failure('not-found', `no ${path}`);
  }

  removeTree(path) {
    this.entries.delete(path);
  }
}

const refused = (condition) => ({ payload }) => payload.tag === condition;

test('a volume comes and goes, however often it is asked for', () => {
  const pool = new FakeDirectory();
  for (const _ of [1, 2]) assert.equal(create(pool, 'music', 0o770), 'music');
  assert.deepEqual([...pool.entries], [['music', 0o770]]);
  require(pool, 'music');
  for (const _ of [1, 2]) remove(pool, 'music');
  assert.equal(pool.entries.size, 0);
  assert.throws(() => require(pool, 'music'), refused('not-found'));
});

test('every name gets an id of its own', () => {
  assert.equal(idFor('pvc-1.a'), 'pvc-1.a');
  const long = ['a', 'b'].map((last) => 'ü'.repeat(63) + last);
  const names = ['..', '.hidden', 'a/b', 'a-b', 'a_b', 'a_2fb', 'ü', 'n'.repeat(128), ...long];
  const ids = new Set(names.map(idFor));
  assert.equal(ids.size, names.length);
  const pool = new FakeDirectory();
  for (const id of ids) {
    pool.mkdir(id, 0o755);
    require(pool, id);
  }
  assert.throws(() => idFor(''), refused('invalid-argument'));
});

test('an id that a person wrote leads nowhere else', () => {
  const pool = new FakeDirectory();
  for (const id of ['', '.', '..', '../etc', 'music/a', '/music', 'n'.repeat(129)]) {
    pool.mkdir(id, 0o755);
    assert.throws(() => require(pool, id), refused('invalid-argument'));
    remove(pool, id);
  }
  assert.equal(pool.entries.size, 7);
});

test('a mode is octal', () => {
  assert.equal(mode(undefined), 0o755);
  assert.equal(mode('2770'), 0o2770);
  for (const wrong of ['rwx', '888', '17777', '-1', '']) {
    assert.throws(() => mode(wrong), refused('invalid-argument'));
  }
});
