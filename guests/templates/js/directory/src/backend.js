// {{name}}: volumes are directories of a pool, which is a directory of the node that the operator granted.
//
// This file has what the host calls, one object for each interface of the contract in wit/; each call gets a fresh
// instance, so that nothing is kept here. What becomes of a volume is in volumes.js, with tests.

import { openDirectory } from 'drivebay:driver/mounts@0.1.0';
import { write as log } from 'drivebay:driver/log@0.1.0';
import * as volumes from './volumes.js';
import { Failure } from './volumes.js';

// The name in the operator's file under which the pool is granted.
const pool = () => openDirectory('pool');

export const identity = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'directories of a pool',
    parameters: [
      {
        name: 'mode',
        scope: 'storage-class',
        required: false,
        default: '0755',
        description: "Permission bits of a volume's directory, in octal.",
      },
    ],
  }),
};

export const controller = told({
  createVolume(request) {
    refuseBlock(request.capabilities);
    const { mode } = Object.fromEntries(request.parameters);
    const id = volumes.create(pool(), request.name, volumes.mode(mode));
    log('info', `volume ${id} is there`);
    return info(id);
  },

  deleteVolume(id) {
    volumes.remove(pool(), id);
  },

  validateVolume(volume, capabilities) {
    volumes.require(pool(), volume.id);
    refuseBlock(capabilities);
  },

  getVolume(id) {
    volumes.require(pool(), id);
    return info(id);
  },
});

export const node = told({
  // The host's name for this node will do, and there is no limit of volumes.
  getInfo: () => ({ id: '', maxVolumes: 0 }),

  // The host has made the target, and binds, remounts and unmounts; it also remembers what it mounted.
  stageVolume({ volume, kind }, target) {
    refuseChoices(kind);
    const directory = pool();
    volumes.require(directory, volume.id);
    target.bind(directory, volume.id);
  },

  getHealth(volume) {
    try {
      volumes.require(pool(), volume.id);
      return { tag: 'ok' };
    } catch (error) {
      if (error.payload?.tag !== 'not-found') throw error;
      return { tag: 'inaccessible', val: error.payload.val };
    }
  },
});

// A directory has no size of its own: Kubernetes takes 0 for what the claim asked for. A u64 is a BigInt.
function info(id) {
  return {
    id,
    capacityBytes: 0n,
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
  const { fsType, mountOptions } = kind.val;
  if (fsType !== '' || mountOptions.length > 0) {
    const chosen = [fsType, ...mountOptions].join(' ').trim();
    throw new Failure('invalid-argument', `${chosen}: a volume is a directory and has what its pool has; write none`);
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
