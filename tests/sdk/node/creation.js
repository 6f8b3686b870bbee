'use strict';

/** How disks come to be and how they are found: the same sentences for every SDK and signature. */

const { LABEL, NO_DISK, SHARP, refused, tagsOf } = require('./cloud');
const { equal, holds } = require('./report');

async function create(check, cloud) {
  const wanted = {
    DiskName: 'pvc-1',
    Description: SHARP,
    PerformanceLevel: 'PL1',
    Encrypted: false,
    ClientToken: 'n:pvc-1',
    Tag: [LABEL, { Key: 'k2', Value: 'v 2' }],
  };
  let diskId;
  await check('a disk is created, and its id leaves a serial number of 20 characters', async () => {
    diskId = await cloud.create(wanted);
    equal([diskId.slice(0, 2), diskId.length], ['d-', 22]);
  });
  await check('the same token with the same parameters answers the same disk', async () => {
    equal(await cloud.create(wanted), diskId);
  });
  await check('the same token with another size is refused', async () => {
    await refused('IdempotentParameterMismatch', 400, () => cloud.create({ ...wanted, Size: 21 }));
  });
  await check('the disk becomes Available with everything it was created with', async () => {
    const disk = await cloud.settled(diskId, 'Available');
    const { size, diskName, description, category, performanceLevel, zoneId, encrypted } = disk;
    equal(
      { size, diskName, description, category, performanceLevel, zoneId, encrypted },
      {
        size: 20,
        diskName: 'pvc-1',
        description: SHARP,
        category: 'cloud_essd',
        performanceLevel: 'PL1',
        zoneId: cloud.zone,
        encrypted: false,
      },
    );
    equal([disk.type, disk.diskChargeType], ['data', 'PostPaid']);
  });
  await check("the disk's serial number is its id without d-", async () => {
    equal((await cloud.disk(diskId)).serialNumber, diskId.slice(2));
  });
  await check('an ordinary disk says that it cannot be shared', async () => {
    equal((await cloud.disk(diskId)).multiAttach, 'Disabled');
  });
  await check("the disk's tags come back as they were sent", async () => {
    equal(tagsOf((await cloud.disk(diskId)).tags.tag), { [LABEL.Key]: SHARP, k2: 'v 2' });
  });
  await malformed(check, cloud);
  return diskId;
}

async function malformed(check, cloud) {
  const cases = [
    ['a size its performance level lacks', 'InvalidDiskSize.NotSupported', 400, { Size: 5 }],
    ['a category that does not exist', 'InvalidDiskCategory.NotSupported', 400,
      { DiskCategory: 'cloud_floppy' }],
    ['a zone that does not exist', 'InvalidZoneId.NotFound', 404, { ZoneId: 'cn-hangzhou-zz' }],
    ['a name that begins with a digit', 'InvalidDiskName.Malformed', 400, { DiskName: '1st' }],
    ['a category that no zone of a public cloud has', 'InvalidDataDiskCategory.NotSupported', 400,
      { DiskCategory: 'cloud_essd_xc0', Size: 40 }],
    ['a snapshot that does not exist', 'InvalidSnapshotId.NotFound', 404,
      { SnapshotId: 's-00000000000000000000' }],
  ];
  for (const [what, code, status, parameters] of cases) {
    await check(`a disk of ${what} is refused`, async () => {
      await refused(code, status, () => cloud.create(parameters));
    });
  }
}

async function find(check, cloud, diskId) {
  await check('a disk that does not exist is left out of the list, not refused', async () => {
    equal(await cloud.ids({ DiskIds: JSON.stringify([diskId, NO_DISK]) }), [diskId]);
  });
  await check('an empty list of ids finds nothing', async () => {
    equal(await cloud.ids({ DiskIds: '[]' }), []);
  });
  await check('a list of ids that is no list is refused', async () => {
    await refused('InvalidParameter.DiskIds', 400, () => cloud.ids({ DiskIds: diskId }));
  });
  await check('a disk is found by its name', async () => {
    equal(await cloud.ids({ DiskName: 'pvc-1' }), [diskId]);
  });
  await check('a disk is found by a tag with every character that encoders differ in', async () => {
    equal(await cloud.ids({ Tag: [LABEL] }), [diskId]);
  });
  await check('a disk is found by whether it goes with its instance', async () => {
    const isFound = async (DeleteWithInstance) => (await cloud.ids({ DeleteWithInstance })).includes(diskId);
    equal([await isFound(false), await isFound(true)], [true, false]);
  });
  await check('what a dry run would find is told by an error', async () => {
    await refused('DryRunOperation', 400, () => cloud.ids({ DryRun: true }));
  });
  await check('a disk is not found by another value of its tag', async () => {
    equal(await cloud.ids({ Tag: [{ ...LABEL, Value: 'other' }] }), []);
  });
}

async function page(check, cloud) {
  const mark = { Tag: [{ Key: 'drivebay.test/page', Value: 'yes' }] };
  const made = [];
  while (made.length < 12) made.push(await cloud.create({ Size: 1, PerformanceLevel: 'PL0', ...mark }));
  const shown = (pages) => pages.map((page) => page.disks.disk.map((disk) => disk.diskId));
  const describe = (which) => cloud.call('DescribeDisks', { ...which, ...mark });
  await check('pages by number show each disk once, and how many there are', async () => {
    const pages = [];
    for (const PageNumber of [1, 2, 3]) pages.push(await describe({ PageNumber, PageSize: 5 }));
    equal(shown(pages).map((ids) => ids.length), [5, 5, 2]);
    equal(pages.map((page) => page.totalCount), [12, 12, 12]);
    equal(shown(pages).flat().sort(), [...made].sort());
  });
  await check('a page beyond the end is empty', async () => {
    equal((await describe({ PageNumber: 4, PageSize: 5 })).disks.disk, []);
  });
  await check('pages by token show each disk once, and end', async () => {
    const first = await describe({ MaxResults: 10 });
    const rest = await describe({ MaxResults: 10, NextToken: first.nextToken });
    equal(shown([first, rest]).map((ids) => ids.length), [10, 2]);
    equal(shown([first, rest]).flat().sort(), [...made].sort());
    holds(!rest.nextToken, rest.nextToken);
  });
  for (const diskId of made) await cloud.deleteWhenReady(diskId);
}

module.exports = { create, find, page };
