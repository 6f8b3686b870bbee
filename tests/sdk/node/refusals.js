'use strict';

/** Who is not let in, and how the SDK tells: the same sentences for every SDK and signature. */

const { CUT, DISTRUSTED, refused, unreached } = require('./cloud');
const { OTHER_CA } = require('./emulator');
const { equal } = require('./report');

/** All of it; `Kind` makes clients. */
async function run(report, Kind, emulator) {
  const check = (sentence, act) => report.check(sentence, act);
  /** One request by a client of its own. */
  const send = (options) =>
    new Kind(emulator, { ca: emulator.ca, ...options }).call('DescribeDisks', {});
  await keys(check, send, emulator);
  await temporaryKeys(check, send, emulator);
  await stamps(check, send);
  await certificates(check, send, emulator);
  await faults(check, new Kind(emulator, { ca: emulator.ca }), emulator);
  await signatures(check, Kind, emulator);
}

async function keys(check, send, { access }) {
  await check('a wrong secret is SignatureDoesNotMatch', async () => {
    const wrong = { ...access, secret: 'wrong' };
    await refused('SignatureDoesNotMatch', 400, () => send({ access: wrong }));
  });
  await check('an unknown key is InvalidAccessKeyId.NotFound', async () => {
    const unknown = { ...access, keyId: 'nobody' };
    await refused('InvalidAccessKeyId.NotFound', 404, () => send({ access: unknown }));
  });
}

async function temporaryKeys(check, send, emulator) {
  const own = await emulator.temporaryKey(3600);
  const another = await emulator.temporaryKey(3600);
  const over = await emulator.temporaryKey(0);
  await check('a temporary key with its security token is let in', () => send({ access: own }));
  const cases = [
    ['without its security token', 'MissingSecurityToken', { ...own, token: undefined }],
    ["with another's security token", 'InvalidSecurityToken.MismatchWithAccessKey',
      { ...own, token: another.token }],
    ['whose time is over', 'InvalidSecurityToken.Expired', over],
    ['with a security token that nobody issued', 'InvalidSecurityToken.Malformed',
      { ...own, token: 'invented' }],
  ];
  for (const [what, code, access] of cases) {
    await check(`a temporary key ${what} is refused`, async () => {
      await refused(code, 400, () => send({ access }));
    });
  }
}

async function stamps(check, send) {
  const cases = [[-16, 'late'], [16, 'early']];
  for (const [minutes, word] of cases) {
    await check(`a clock that is 16 minutes ${word} is refused`, async () => {
      const stamp = { date: minutesFromNow(minutes) };
      await refused('InvalidTimeStamp.Expired', 400, () => send({ stamp }));
    });
  }
  await check('a clock that is 14 minutes late is close enough', async () => {
    await send({ stamp: { date: minutesFromNow(-14) } });
  });
  await check('a nonce is good once', async () => {
    const stamp = { nonce: 'once' };
    await send({ stamp });
    await refused('SignatureNonceUsed', 400, () => send({ stamp }));
  });
}

/** A time as requests carry it. */
function minutesFromNow(minutes) {
  const moment = new Date(Date.now() + minutes * 60_000);
  return moment.toISOString().replace(/\.\d+Z$/, 'Z');
}

async function certificates(check, send, emulator) {
  const cases = [["without the emulator's CA", undefined], ['with another CA', OTHER_CA]];
  for (const [what, ca] of cases) {
    await check(`${what} the SDK refuses the handshake and sends nothing`, async () => {
      const before = (await emulator.requests()).length;
      await unreached(DISTRUSTED, () => send({ ca }));
      equal((await emulator.requests()).length, before);
    });
  }
}

async function faults(check, client, emulator) {
  const describe = (filters = {}) => client.call('DescribeDisks', filters);
  await check('throttling is an error with the code that says so', async () => {
    await emulator.fault({ action: 'DescribeDisks', kind: 'throttling' });
    await refused('Throttling.User', 400, () => describe());
    await describe();
  });
  await check('a failure inside the cloud is an error with its status and code', async () => {
    await emulator.fault({ action: 'DescribeDisks', kind: 'error-before' });
    await refused('InternalError', 500, () => describe());
  });
  await check('a connection that is cut is no answer, and no refusal', async () => {
    await emulator.fault({ action: 'DescribeDisks', kind: 'cut-before' });
    await unreached(CUT, () => describe());
  });
  await check('an answer that got lost leaves a disk, which the token finds again', async () => {
    const wanted = { ZoneId: emulator.zone, DiskCategory: 'cloud_essd', Size: 20 };
    const create = () =>
      client.call('CreateDisk', { ...wanted, DiskName: 'lost', ClientToken: 'n:lost' });
    await emulator.fault({ action: 'CreateDisk', kind: 'lost-reply' });
    await unreached(CUT, create);
    const { diskId } = await create();
    const found = (await describe({ DiskName: 'lost' })).disks.disk;
    equal(found.map((disk) => disk.diskId), [diskId]);
  });
  await emulator.clearFaults();
}

/** Seen by the emulator, so that no check above holds for another signature than it should. */
async function signatures(check, { signature, method }, emulator) {
  await check(`every request was signed by signature ${signature} and sent by ${method}`, async () => {
    const seen = (await emulator.requests()).map((it) => `${it.signature} ${it.method}`);
    equal([...new Set(seen)], [`${signature} ${method}`]);
  });
}

module.exports = { run };
