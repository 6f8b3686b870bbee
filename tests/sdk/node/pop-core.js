'use strict';

/** The first SDK generation for Node, by GET with everything in the query or by POST with a form. */

const https = require('node:https');

const { RPCClient } = require('@alicloud/pop-core');

const { Refused, Unreached } = require('./cloud');
const { Emulator, TIMEOUT_MILLIS } = require('./emulator');
const lifecycle = require('./lifecycle');
const { misfits } = require('./models');
const refusals = require('./refusals');
const { equal, run } = require('./report');

/** The client; its answers are JSON, with fields named here as the second generation names them. */
class PopCore {
  static signature = 'v1';
  static method = 'GET';
  /** Where an answer to any of these clients differed from what the second generation expects. */
  static misfits = new Set();

  constructor(emulator, { access = emulator.access, ca, stamp = {} } = {}) {
    this.region = emulator.region;
    this.stamp = stamp;
    this.client = new RPCClient({
      accessKeyId: access.keyId,
      accessKeySecret: access.secret,
      securityToken: access.token,
      endpoint: `https://${emulator.host}`,
      apiVersion: '2014-05-26',
      opts: {
        method: this.constructor.method,
        agent: new https.Agent({ ca }),
        timeout: TIMEOUT_MILLIS,
      },
    });
  }

  /** Sends one action and answers its fields. */
  async call(action, parameters = {}) {
    // The SDK lets its callers overwrite what it would say of time and nonce.
    const { date, nonce } = this.stamp;
    const own = { ...(date && { Timestamp: date }), ...(nonce && { SignatureNonce: nonce }) };
    try {
      const request = { RegionId: this.region, ...parameters, ...own };
      const answer = await this.client.request(action, request);
      for (const misfit of misfits(action, answer)) PopCore.misfits.add(misfit);
      return fields(answer);
    } catch (error) {
      if (!error.entry) throw new Unreached(error.message, { cause: error });
      throw new Refused(error.entry.response.statusCode, error.code, error.message, error);
    }
  }
}

/** The same with a form. */
class PopCoreByForm extends PopCore {
  static method = 'POST';
}

function fields(value) {
  if (Array.isArray(value)) return value.map(fields);
  if (value === null || typeof value !== 'object') return value;
  const named = Object.entries(value).map(([name, item]) => [lowerFirst(name), fields(item)]);
  return Object.fromEntries(named);
}

/** `DiskId` as `diskId`. */
function lowerFirst(name) {
  return name[0].toLowerCase() + name.slice(1);
}

run(async (report) => {
  const Kind = process.argv[2] === 'POST' ? PopCoreByForm : PopCore;
  const emulator = new Emulator();
  await lifecycle.run(report, new Kind(emulator, { ca: emulator.ca }), emulator);
  await refusals.run(report, Kind, emulator);
  await report.check("every answer is, field by field, what the second generation's models say", () =>
    equal([...PopCore.misfits], []),
  );
});
