'use strict';

/** The life of a disk, as every client has to see it: the same sentences for every SDK and signature. */

const changes = require('./changes');
const { Cloud, NO_DISK, refused, wait } = require('./cloud');
const creation = require('./creation');
const groups = require('./groups');
const { equal, holds } = require('./report');

/** All of it, in order; what comes later uses what came before. */
async function run(report, client, emulator) {
  const cloud = new Cloud(client, emulator);
  const check = (sentence, act) => report.check(sentence, act);
  const diskId = await creation.create(check, cloud);
  await creation.find(check, cloud, diskId);
  await creation.page(check, cloud);
  await neverAttached(check, cloud, diskId);
  await attach(check, cloud, diskId);
  await snapshots(check, cloud, diskId);
  await groups.life(check, cloud, diskId);
  await changes.tags(check, cloud, diskId);
  await changes.resizeOnline(check, cloud, diskId);
  await detach(check, cloud, diskId);
  await changes.resizeOffline(check, cloud, diskId);
  await changes.changeKind(check, cloud, diskId);
  await changes.changeLevel(check, cloud);
  await remove(check, cloud, diskId);
  await surroundings(check, cloud);
}

async function neverAttached(check, cloud, diskId) {
  await check('a disk that was never attached has no snapshots', async () => {
    const code = 'IncorrectDiskStatus.NeverAttached';
    await refused(code, 403, () => cloud.call('CreateSnapshot', { DiskId: diskId }));
    await refused(code, 403, () => cloud.call('CreateSnapshotGroup', { DiskId: [diskId] }));
  });
}

async function attach(check, cloud, diskId) {
  const to = (InstanceId, DiskId = diskId) => cloud.call('AttachDisk', { DiskId, InstanceId });
  await check('a disk cannot be attached to an instance that does not exist', async () => {
    await refused('InvalidInstanceId.NotFound', 404, () => to('i-00000000000000000000'));
  });
  await check('a disk that does not exist cannot be attached', async () => {
    await refused('InvalidDiskId.NotFound', 404, () => to(cloud.instance, NO_DISK));
  });
  await check('AttachDisk answers before the disk shows anything of it', async () => {
    await cloud.emulator.fault({ action: 'AttachDisk', kind: 'stays-attaching' });
    await to(cloud.instance);
    const status = async () => (await cloud.disk(diskId)).status;
    equal([await status(), await status()], ['Available', 'Attaching']);
  });
  await check('an attached disk names its instance and its device', async () => {
    await cloud.emulator.clearFaults();
    const disk = await cloud.settled(diskId, 'In_use');
    equal(disk.instanceId, cloud.instance);
    holds(disk.device.startsWith('/dev/xvd'), disk.device);
    equal(disk.attachments.attachment.map((it) => it.instanceId), [cloud.instance]);
  });
  await check('an attached disk is found by its instance', async () => {
    holds((await cloud.ids({ InstanceId: cloud.instance })).includes(diskId));
  });
  await check('an attached disk cannot be attached to another instance', async () => {
    await refused('IncorrectDiskStatus', 403, () => to(cloud.otherInstance));
  });
  await check('an attached disk cannot be deleted', async () => {
    await refused('IncorrectDiskStatus', 403, () => cloud.call('DeleteDisk', { DiskId: diskId }));
  });
}

async function snapshots(check, cloud, diskId) {
  const wanted = { DiskId: diskId, SnapshotName: 'snap-1', ClientToken: 's:snap-1' };
  const make = async (other) => (await cloud.call('CreateSnapshot', { ...wanted, ...other })).snapshotId;
  const list = () => cloud.call('DescribeSnapshots', { DiskId: diskId });
  let cut;
  await check('a snapshot is created', async () => {
    await cloud.emulator.set({ pace: 'held' });
    cut = await make();
    equal(cut.slice(0, 2), 's-');
  });
  await check('a snapshot tells its moment once it is cut, and is usable later', async () => {
    const look = async () => {
      const { creationTime, available } = await cloud.snapshot(cut);
      return [creationTime !== '', available];
    };
    const seen = [await look()];
    while (seen.length < 3) {
      await cloud.emulator.step();
      seen.push(await look());
    }
    equal(seen, [[false, false], [true, false], [true, true]]);
    await cloud.emulator.set({ pace: 'running' });
  });
  await check("a snapshot's token answers the same snapshot again", async () => {
    equal(await make(), cut);
  });
  await check("a snapshot's token with another name is refused", async () => {
    const other = { SnapshotName: 'snap-2' };
    await refused('IdempotentParameterMismatch', 403, () => make(other));
  });
  await check('a snapshot becomes accomplished and names its source', async () => {
    const done = (it) => it.status === 'accomplished';
    const snapshot = await wait(done, () => cloud.snapshot(cut));
    equal([snapshot.available, snapshot.progress], [true, '100%']);
    equal([snapshot.sourceDiskId, snapshot.sourceDiskSize], [diskId, '20']);
    holds(snapshot.creationTime.endsWith('Z'), snapshot.creationTime);
  });
  await check("a disk's snapshots are listed by its id", async () => {
    const listed = await list();
    equal(listed.snapshots.snapshot.map((it) => it.snapshotId), [cut]);
    equal(listed.totalCount, 1);
  });
  await restore(check, cloud, cut);
  await check('a deleted snapshot is gone', async () => {
    await cloud.call('DeleteSnapshot', { SnapshotId: cut });
    equal((await list()).snapshots.snapshot, []);
  });
  await check('a snapshot cannot be deleted twice', async () => {
    const again = () => cloud.call('DeleteSnapshot', { SnapshotId: cut });
    await refused('InvalidSnapshotId.NotFound', 404, again);
  });
}

async function restore(check, cloud, cut) {
  let restored;
  await check('a disk from a snapshot is not smaller than that, whatever was asked for', async () => {
    restored = await cloud.create({ SnapshotId: cut, Size: 1 });
    const disk = await cloud.settled(restored, 'Available');
    equal([disk.size, disk.sourceSnapshotId], [20, cut]);
  });
  await check('a snapshot that a disk was made from is not deleted without force', async () => {
    const tried = () => cloud.call('DeleteSnapshot', { SnapshotId: cut });
    await refused('SnapshotCreatedDisk', 403, tried);
  });
  await check('a disk from a snapshot can be deleted', () => cloud.deleteWhenReady(restored));
}

async function detach(check, cloud, diskId) {
  const from = (InstanceId) => cloud.call('DetachDisk', { DiskId: diskId, InstanceId });
  await check('a disk is not detached from an instance that does not have it', async () => {
    await refused('DependencyViolation', 403, () => from(cloud.otherInstance));
  });
  await check('a detached disk is Available and names no instance', async () => {
    await from(cloud.instance);
    const disk = await cloud.settled(diskId, 'Available');
    equal([disk.instanceId, disk.attachments.attachment], ['', []]);
  });
  await check('a disk that is attached nowhere cannot be detached', async () => {
    await refused('InvalidDisk.AlreadyDetached', 404, () => from(cloud.instance));
  });
}

async function remove(check, cloud, diskId) {
  await check('a deleted disk is gone from the list', async () => {
    await cloud.call('DeleteDisk', { DiskId: diskId });
    equal(await cloud.ids({ DiskIds: JSON.stringify([diskId]) }), []);
  });
  await check('a disk cannot be deleted twice', async () => {
    await refused('InvalidDiskId.NotFound', 404, () => cloud.call('DeleteDisk', { DiskId: diskId }));
  });
}

async function surroundings(check, cloud) {
  let instance;
  await check('an instance shows where it is and that it runs', async () => {
    const found = await cloud.call('DescribeInstances', { InstanceIds: JSON.stringify([cloud.instance]) });
    [instance] = found.instances.instance;
    const { instanceId, zoneId, status } = instance;
    equal([instanceId, zoneId, status], [cloud.instance, cloud.zone, 'Running']);
  });
  await check("an instance's type says how many disks it takes, as a number", async () => {
    const kind = { InstanceTypes: [instance.instanceType], MaxResults: 100 };
    const [type] = (await cloud.call('DescribeInstanceTypes', kind)).instanceTypes.instanceType;
    holds(type.diskQuantity > 1 && typeof type.diskQuantity === 'number', type.diskQuantity);
    equal(type.attributes.attribute.map((it) => it.name), ['DensityDiskQuantity']);
  });
  await check("a zone's stock of disks names categories and their sizes", async () => {
    const wanted = { DestinationResource: 'DataDisk', ResourceType: 'disk', ZoneId: cloud.zone };
    const [zone] = (await cloud.call('DescribeAvailableResource', wanted)).availableZones.availableZone;
    const offered = zone.availableResources.availableResource[0].supportedResources.supportedResource;
    const essd = offered.find((it) => it.value === 'cloud_essd');
    equal(essd.status, 'Available');
    holds(essd.max > 1000, essd.max);
  });
  await check('zones are listed with the categories that they have', async () => {
    const found = (await cloud.call('DescribeZones', {})).zones.zone;
    const zone = found.find((it) => it.zoneId === cloud.zone);
    const offered = zone.availableDiskCategories.diskCategories;
    equal([offered.includes('cloud_essd'), offered.includes('cloud_ssd')], [true, false]);
  });
  await events(check, cloud);
}

async function events(check, cloud) {
  const told = { event_type: 'SystemFailure.Reboot', status: 'Executing', reason: 'a fault' };
  await cloud.emulator.set({ instances: { [cloud.instance]: { events: [told] } } });
  const list = async (filters) => {
    const asked = { ResourceId: [cloud.instance], ...filters };
    const found = await cloud.call('DescribeInstanceHistoryEvents', asked);
    return found.instanceSystemEventSet.instanceSystemEventType;
  };
  await check("an instance's history has what is over, and what is not if that is asked for", async () => {
    equal(await list({}), []);
    const [event] = await list({ InstanceEventCycleStatus: ['Executing'] });
    equal([event.instanceId, event.reason], [cloud.instance, 'a fault']);
    equal([event.eventType.name, event.eventCycleStatus.name], ['SystemFailure.Reboot', 'Executing']);
  });
}

module.exports = { run };
