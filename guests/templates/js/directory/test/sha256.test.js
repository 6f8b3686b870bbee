import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';

import { sha256 } from '../src/sha256.js';

test('digests are those of Node', () => {
  for (const length of [0, 1, 3, 55, 56, 63, 64, 119, 120, 128, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 7);
    assert.equal(sha256(bytes), createHash('sha256').update(bytes).digest('hex'), `of ${length} bytes`);
  }
});
