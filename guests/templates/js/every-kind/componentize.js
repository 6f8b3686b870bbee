// From src/backend.js, with all that it imports, to a component: a JavaScript engine that has run what stands outside of
// functions, and waits for calls.

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'src/backend.js',
  witPath: 'wit',
  worldName: 'backend',
  // The host would answer them with nothing: without, the component imports no WASI.
  disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
});
await writeFile('{{name}}.wasm', component);
