'use strict';

/**
 * The SDK's own ways to temporary keys: a pod's token at STS, and an instance's role.
 *
 * Takes the emulator's CA from the environment: the package that asks STS has no setting for it. The role's
 * address is fixed in the SDK, so the emulator has to be at it.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { default: Credential, Config } = require('@alicloud/credentials');

const { failure } = require('./cloud');
const { Emulator, TIMEOUT_MILLIS } = require('./emulator');
const { Gen2 } = require('./gen2');
const { equal, holds, run } = require('./report');

const TIMEOUTS = { connectTimeout: TIMEOUT_MILLIS, timeout: TIMEOUT_MILLIS };

const ROLE = 'acs:ram::1135115445850001:role/drivebay';
const PROVIDER = 'acs:ram::1135115445850001:oidc-provider/cluster';

async function podsToken(report, emulator, directory) {
  await emulator.set({ oidc_token: "a.pod's.token" });
  const good = () => askSts(emulator, directory, "a.pod's.token");
  await report.check("STS gives a key for a pod's token", async () => {
    const key = await good().getCredential();
    holds(key.accessKeyId && key.accessKeySecret && key.securityToken, key);
  });
  await report.check('the SDK asks STS by POST, with no signature', async () => {
    const { action, method, signature } = (await emulator.requests()).at(-1);
    equal([action, method, signature], ['AssumeRoleWithOIDC', 'POST', 'none']);
  });
  await report.check('a key from STS signs requests to ECS', () => used(emulator, good()));
  await report.check('STS gives no key for another token', async () => {
    const other = askSts(emulator, directory, 'another.token');
    await noKey('AuthenticationFail', () => other.getCredential());
  });
}

/** A credential that exchanges this token for a key once it is needed. */
function askSts(emulator, directory, token) {
  const file = path.join(directory, 'token');
  fs.writeFileSync(file, token);
  return new Credential(
    new Config({
      type: 'oidc_role_arn',
      roleArn: ROLE,
      oidcProviderArn: PROVIDER,
      oidcTokenFilePath: file,
      roleSessionName: 'drivebay',
      stsEndpoint: emulator.host,
      ...TIMEOUTS,
    }),
  );
}

async function instancesRole(report, emulator) {
  await report.check('the metadata service gives the key of the role, with a token only', async () => {
    const key = await role().getCredential();
    holds(key.accessKeyId && key.accessKeySecret && key.securityToken, key);
  });
  await report.check("a key of the instance's role signs requests to ECS", () => used(emulator, role()));
  await report.check('an instance without a role has no key', async () => {
    await emulator.set({ role: '' });
    await noKey('404', () => role().getCredential());
  });
}

/** The instance's role; the older way without a token is not tried. */
function role() {
  const config = { type: 'ecs_ram_role', disableIMDSv1: true, ...TIMEOUTS };
  return new Credential(new Config(config));
}

/** Lists disks with this credential. */
async function used(emulator, credential) {
  await new Gen2(emulator, { credential, ca: emulator.ca }).call('DescribeDisks', {});
  equal((await emulator.requests()).at(-1).status, 200);
}

/** What is done has to fail to get a key, for this reason. */
async function noKey(reason, act) {
  const error = await failure(act);
  holds(error.message.includes(reason), error.message);
}

run(async (report) => {
  const emulator = new Emulator();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drivebay-sdk-'));
  try {
    await podsToken(report, emulator, directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
  await instancesRole(report, emulator);
});
