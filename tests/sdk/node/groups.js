'use strict';

/** The life of snapshots that are cut together. */

const { NO_DISK, refused, wait } = require('./cloud');
const { equal, holds } = require('./report');

const LABEL = { Key: 'drivebay.test/group', Value: '1' };

/** With the disk that is there and a second one. */
async function life(check, cloud, diskId) {
  const other = await cloud.create();
  await cloud.settled(other, 'Available');
  const here = { DiskId: other, InstanceId: cloud.instance };
  await cloud.call('AttachDisk', here);
  await cloud.settled(other, 'In_use');
  const disks = [diskId, other];
  const cut = await create(check, cloud, disks);
  await describe(check, cloud, cut, disks);
  await check('a group of a disk that does not exist is refused', async () => {
    const missing = { DiskId: [diskId, NO_DISK] };
    await refused('InvalidDiskId.NotFound', 404, () => cloud.call('CreateSnapshotGroup', missing));
  });
  await remove(check, cloud, cut);
  await cloud.call('DetachDisk', here);
  await cloud.deleteWhenReady(other);
}

async function create(check, cloud, disks) {
  const wanted = { DiskId: disks, Name: 'group-1', ClientToken: 'g:group-1', Tag: [LABEL] };
  const make = async (changed) => {
    const made = await cloud.call('CreateSnapshotGroup', { ...wanted, ...changed });
    return made.snapshotGroupId;
  };
  let cut;
  await check('a group of snapshots is created', async () => {
    cut = await make();
    equal(cut.slice(0, 4), 'ssg-');
  });
  await check("a group's token answers the same group again", async () => {
    equal(await make(), cut);
  });
  await check("a group's token with other disks is refused", async () => {
    const changed = { DiskId: disks.slice(0, 1) };
    await refused('IdempotentParameterMismatch', 403, () => make(changed));
  });
  return cut;
}

async function describe(check, cloud, cut, disks) {
  const list = async (filters) =>
    (await cloud.call('DescribeSnapshotGroups', filters)).snapshotGroups.snapshotGroup;
  let group;
  await check('a group becomes accomplished and has a snapshot of each disk', async () => {
    const look = async () => (await list({ SnapshotGroupId: [cut] }))[0];
    group = await wait((it) => it.status === 'accomplished', look);
    equal(group.name, 'group-1');
    holds(group.creationTime.endsWith('Z'), group.creationTime);
    const members = group.snapshots.snapshot;
    equal(members.map((it) => it.sourceDiskId), disks);
    equal(members.map((it) => it.available), [true, true]);
  });
  await check("a group's tags come back as they were sent, unlike those of disks", async () => {
    equal(group.tags.tag.map(({ key, value }) => [key, value]), [[LABEL.Key, LABEL.Value]]);
  });
  await check('a group is found by its tag', async () => {
    equal((await list({ Tag: [LABEL] })).map((it) => it.snapshotGroupId), [cut]);
  });
  await check('a snapshot of a group tells its size and, in its name, the group', async () => {
    const snapshot = await cloud.snapshot(group.snapshots.snapshot[0].snapshotId);
    equal([snapshot.sourceDiskSize, snapshot.snapshotName], ['20', `Created_from_${cut}`]);
  });
}

async function remove(check, cloud, cut) {
  const once = () => cloud.call('DeleteSnapshotGroup', { SnapshotGroupId: cut });
  await check('a group goes with its snapshots, and says which', async () => {
    const progress = (await once()).operationProgressSet.operationProgress;
    equal(progress.map((it) => it.operationStatus), ['Success', 'Success']);
    const named = progress.map((it) => it.relatedItemSet.relatedItem[0].name);
    equal(named, ['SnapshotId', 'SnapshotId']);
    const left = await cloud.call('DescribeSnapshotGroups', { SnapshotGroupId: [cut] });
    equal(left.snapshotGroups.snapshotGroup, []);
  });
  await check('a group cannot be deleted twice', async () => {
    await refused('InvalidSnapshotGroup.NotFound', 404, once);
  });
}

module.exports = { life };
