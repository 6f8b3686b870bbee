'use strict';

/** What all clients have in common, in words of none: a refusal, and what is asked all the time. */

const { setTimeout: sleep } = require('node:timers/promises');

const { equal, holds } = require('./report');

// The emulator's transitions take a twentieth of a second, on a machine that may be slow.
const PATIENCE_MILLIS = 20_000;
const PAUSE_MILLIS = 20;

// Everything that some encoder or other writes differently from the canonical form.
const SHARP = "pvc a+b*~é'!()/&=%";

const LABEL = { Key: 'drivebay.test/volume', Value: SHARP };

// How Node puts it, whatever the SDK puts around it.
const DISTRUSTED = /certificate/;
const CUT = /socket hang up|ECONNRESET/;

const NO_DISK = 'd-00000000000000000000';

/** The API's error, as the SDK understood it; its cause is the SDK's own error. */
class Refused extends Error {
  constructor(status, code, message, cause) {
    super(`${status} ${code}: ${message}`, { cause });
    this.status = status;
    this.code = code;
  }
}

/** The SDK sent nothing, or got no answer. */
class Unreached extends Error {}

/** What is done has to be refused with this code; answers the refusal. */
async function refused(code, status, act) {
  const error = await failure(act);
  if (!(error instanceof Refused)) throw error;
  equal([error.code, error.status], [code, status]);
  return error;
}

/** What is done must not come through, for a reason in which these words stand. */
async function unreached(words, act) {
  const error = await failure(act);
  if (!(error instanceof Unreached)) throw error;
  holds(words.test(error.message), error.message);
}

async function failure(act) {
  let answer;
  try {
    answer = await act();
  } catch (error) {
    return error;
  }
  throw new Error(`expected a failure, got ${JSON.stringify(answer)}`);
}

/** Asks until the answer is as wanted, and answers it. */
async function wait(until, ask) {
  const end = Date.now() + PATIENCE_MILLIS;
  for (;;) {
    const answer = await ask();
    if (until(answer)) return answer;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(answer)}`);
    await sleep(PAUSE_MILLIS);
  }
}

/** The client, and what is asked of it all the time. */
class Cloud {
  constructor(client, emulator) {
    this.call = (action, parameters) => client.call(action, parameters);
    this.zone = emulator.zone;
    this.instance = emulator.instance;
    this.otherInstance = emulator.otherInstance;
    this.emulator = emulator;
  }

  /** A disk of the smallest size that every performance level but the higher ones has. */
  async create(parameters) {
    const wanted = { ZoneId: this.zone, DiskCategory: 'cloud_essd', Size: 20, ...parameters };
    return (await this.call('CreateDisk', wanted)).diskId;
  }

  /** The disks of one description. */
  async disks(filters) {
    return (await this.call('DescribeDisks', filters)).disks.disk;
  }

  async ids(filters) {
    return (await this.disks(filters)).map((disk) => disk.diskId);
  }

  /** One disk that is there. */
  async disk(diskId) {
    const [disk] = await this.disks({ DiskIds: JSON.stringify([diskId]) });
    equal(disk?.diskId, diskId);
    return disk;
  }

  /** The disk, once it has this status. */
  settled(diskId, status) {
    return wait((disk) => disk.status === status, () => this.disk(diskId));
  }

  /** One snapshot that is there. */
  async snapshot(snapshotId) {
    const found = await this.call('DescribeSnapshots', { SnapshotIds: JSON.stringify([snapshotId]) });
    return found.snapshots.snapshot[0];
  }

  /** Deletes a disk that may still be under way. */
  async deleteWhenReady(diskId) {
    await this.settled(diskId, 'Available');
    await this.call('DeleteDisk', { DiskId: diskId });
  }
}

/** Tags go out as Key and Value, and come back as TagKey and TagValue. */
function tagsOf(tags) {
  return Object.fromEntries(tags.map(({ tagKey, tagValue }) => [tagKey, tagValue]));
}

module.exports = {
  SHARP,
  LABEL,
  DISTRUSTED,
  CUT,
  NO_DISK,
  Refused,
  Unreached,
  Cloud,
  refused,
  unreached,
  failure,
  wait,
  tagsOf,
};
