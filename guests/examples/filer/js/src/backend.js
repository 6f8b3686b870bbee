// filer: volumes of a small storage appliance, by its HTTP API. On a node they are directories of what it exports.
//
// This file has what the host calls, one object for each interface of the contract in wit/; each call gets a fresh
// instance, so that nothing is kept here. What is asked of the filer is in api.js, with tests.

import { openDirectory } from 'drivebay:driver/mounts@0.1.0';
import { openEndpoint } from 'drivebay:driver/https@0.1.0';
import { openSecret } from 'drivebay:driver/secrets@0.1.0';
import { send as sendWithSecrets } from 'drivebay:driver/secret-requests@0.1.0';
import { write as log } from 'drivebay:driver/log@0.1.0';
import * as api from './api.js';
import { Failure } from './api.js';

// Of a volume's directory: pods run as whoever they like.
const MODE = 0o777;

export const identity = {
  describe: () => ({ name: 'filer', version: '0.1.0', summary: 'volumes of a filer, by its API', parameters: [] }),
};

export const controller = told({
  createVolume({ name, capacity, capabilities }) {
    refuseBlock(capabilities);
    return info(api.create(send, api.idFor(name), capacity));
  },

  deleteVolume(id) {
    api.remove(send, id);
  },

  validateVolume(volume, capabilities) {
    api.find(send, volume.id);
    refuseBlock(capabilities);
  },

  getVolume(id) {
    return info(api.find(send, id));
  },
});

export const expansion = told({
  expandVolume: (volume, capacity) => api.grow(send, volume.id, capacity),
});

export const node = told({
  // The host's name for this node will do, and there is no limit of volumes.
  getInfo: () => ({ id: '', maxVolumes: 0 }),

  // The filer makes a volume, and removes it with what is in it; its directory appears when it is first mounted.
  stageVolume({ volume, kind }, target) {
    refuseChoices(kind);
    api.find(send, volume.id);
    const exported = openDirectory('exports');
    try {
      exported.mkdir(volume.id, MODE);
    } catch (error) {
      if (error.payload?.tag !== 'already-exists') throw error;
    }
    target.bind(exported, volume.id);
  },

  // Asked without the Secret, so by the directory alone.
  getHealth({ id }) {
    try {
      if (api.isId(id) && openDirectory('exports').stat(id).kind === 'directory') return { tag: 'ok' };
    } catch (error) {
      if (error.payload?.tag !== 'not-found') throw error;
    }
    return { tag: 'inaccessible', val: `the filer exports no directory of volume ${id} here` };
  },
});

// The token is a handle: what it stands for is added to the request by the host.
function send(method, path, body) {
  const request = { method, path, query: [], headers: [], body: new Uint8Array() };
  if (body !== undefined) {
    request.headers.push(['content-type', 'application/json']);
    request.body = new TextEncoder().encode(JSON.stringify(body));
  }
  const authorization = { name: 'authorization', prefix: 'Bearer ', secret: token() };
  const answer = sendWithSecrets(openEndpoint('api'), request, [authorization], undefined);
  return { status: answer.status, text: new TextDecoder().decode(answer.body) };
}

// Not to be taken for a volume that is not there.
function token() {
  try {
    return openSecret('token');
  } catch (error) {
    if (error.payload?.tag !== 'not-found') throw error;
    throw new Failure('failed-precondition', 'no token came with this call; name its Secret in the StorageClass');
  }
}

function info({ id, bytes }) {
  return {
    id,
    capacityBytes: bytes,
    context: [],
    source: undefined,
    accessibleTopology: [],
    publishedNodeIds: [],
  };
}

function refuseBlock(capabilities) {
  if (capabilities.some(({ kind }) => kind.tag === 'block')) {
    throw new Failure('unsupported', 'a volume is a directory and cannot be a block device');
  }
}

// What would be ignored is refused.
function refuseChoices(kind) {
  refuseBlock([{ kind }]);
  const chosen = [kind.val.fsType, ...kind.val.mountOptions].filter((choice) => choice !== '');
  if (chosen.length > 0) {
    throw new Failure('invalid-argument', `${chosen.join(' ')}: a volume is a directory and has what its filer has; write none`);
  }
}

// Whatever is thrown and is no condition is a bug, and would be a trap that says nothing: it is logged and told.
function told(functions) {
  const wrapped = ([name, body]) => [name, (...given) => {
    try {
      return body(...given);
    } catch (error) {
      if (error?.payload) throw error;
      log('error', `${name}: ${error}\n${error?.stack}`);
      throw new Failure('internal', `${name}: ${error}`);
    }
  }];
  return Object.fromEntries(Object.entries(functions).map(wrapped));
}
