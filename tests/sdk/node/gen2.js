'use strict';

/**
 * The second SDK generation for Node: signatures of version 3, or with `v2` the older HMAC-SHA1.
 *
 * The SDK's name for the older signature counts otherwise than the wire does, which calls it 1.0.
 */

const { $OpenApiUtil, AlibabaCloudError, ThrottlingError } = require('@alicloud/openapi-core');
const Ecs = require('@alicloud/ecs20140526');
const $dara = require('@darabonba/typescript');

const { Refused, Unreached, refused } = require('./cloud');
const { Emulator, TIMEOUT_MILLIS } = require('./emulator');
const lifecycle = require('./lifecycle');
const refusals = require('./refusals');
const { equal, holds, run } = require('./report');

/** The client, called by the wire's names; answers are the SDK's own models. */
class Gen2 {
  static signature = 'v3';
  static method = 'POST';
  static algorithm = undefined;

  constructor(emulator, { access = emulator.access, ca, stamp = {}, credential } = {}) {
    this.region = emulator.region;
    const config = new $OpenApiUtil.Config({
      endpoint: emulator.host,
      protocol: 'https',
      regionId: emulator.region,
      credential,
      ca,
      connectTimeout: TIMEOUT_MILLIS,
      readTimeout: TIMEOUT_MILLIS,
      signatureAlgorithm: this.constructor.algorithm,
      globalParameters: this.constructor.stamped(stamp),
    });
    if (!credential) {
      config.accessKeyId = access.keyId;
      config.accessKeySecret = access.secret;
      config.securityToken = access.token;
    }
    this.client = new Ecs.default(config);
  }

  /** Sends one action and answers its model. */
  async call(action, parameters = {}) {
    const Request = Ecs[`${action}Request`];
    const region = Request.names().regionId ? { RegionId: this.region } : {};
    const request = $dara.cast({ ...region, ...parameters }, new Request({}));
    const send = `${action[0].toLowerCase()}${action.slice(1)}WithOptions`;
    try {
      return (await this.client[send](request, new $dara.RuntimeOptions({}))).body;
    } catch (error) {
      if (!(error instanceof AlibabaCloudError)) throw new Unreached(error.message, { cause: error });
      throw new Refused(error.statusCode, error.code, error.message, error);
    }
  }

  /** Headers, which the SDK lets its callers set. */
  static stamped({ date, nonce }) {
    const headers = present({ 'x-acs-date': date, 'x-acs-signature-nonce': nonce });
    return new $OpenApiUtil.GlobalParameters({ headers });
  }
}

/** The same with everything in the query. */
class Gen2SigningAsGen1 extends Gen2 {
  static signature = 'v1';
  static algorithm = 'v2';

  static stamped({ date, nonce }) {
    const queries = present({ Timestamp: date, SignatureNonce: nonce });
    return new $OpenApiUtil.GlobalParameters({ queries });
  }
}

function present(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

async function models(report, client) {
  await report.check("the answer is the SDK's own model, down to the list", async () => {
    const seen = await client.call('DescribeDisks', { DiskIds: '[]' });
    holds(seen instanceof Ecs.DescribeDisksResponseBody, seen);
    holds(seen.disks instanceof Ecs.DescribeDisksResponseBodyDisks, seen.disks);
  });
}

async function throttling(report, client, emulator) {
  await report.check("throttling is the SDK's ThrottlingError, whatever it says", async () => {
    for (const code of ['Throttling', 'Throttling.User', 'Throttling.Api']) {
      await emulator.fault({ action: 'DescribeDisks', kind: 'throttling', code });
      const refusal = await refused(code, 400, () => client.call('DescribeDisks'));
      holds(refusal.cause instanceof ThrottlingError, refusal.cause);
    }
  });
  await report.check('throttling that says how long to wait is understood', async () => {
    await emulator.fault({ action: 'DescribeDisks', kind: 'throttling', millis: 1500 });
    const refusal = await refused('Throttling.User', 400, () => client.call('DescribeDisks'));
    equal(refusal.cause.retryAfter, 1500);
  });
}

async function main(report) {
  const Kind = process.argv[2] === 'v2' ? Gen2SigningAsGen1 : Gen2;
  const emulator = new Emulator();
  const client = new Kind(emulator, { ca: emulator.ca });
  await lifecycle.run(report, client, emulator);
  await refusals.run(report, Kind, emulator);
  await models(report, client);
  await throttling(report, client, emulator);
}

if (require.main === module) run(main);

module.exports = { Gen2 };
