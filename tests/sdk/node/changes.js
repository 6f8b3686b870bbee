'use strict';

/** What can be changed of a disk: its tags, its size, its performance level. */

const { LABEL, NO_DISK, SHARP, refused, tagsOf, wait } = require('./cloud');
const { equal } = require('./report');

async function tags(check, cloud, diskId) {
  const subject = { ResourceType: 'disk', ResourceId: [diskId] };
  const listed = async () => {
    const found = await cloud.call('ListTagResources', subject);
    return tagsOf(found.tagResources.tagResource);
  };
  await check('a tag that is added shows in both lists', async () => {
    await cloud.call('TagResources', { ...subject, Tag: [{ Key: 'k3', Value: SHARP }] });
    equal((await listed()).k3, SHARP);
    equal(tagsOf((await cloud.disk(diskId)).tags.tag).k3, SHARP);
  });
  await check('a tag that is removed is gone, and the others are not', async () => {
    await cloud.call('UntagResources', { ...subject, TagKey: ['k3', 'k2'] });
    equal(await listed(), { [LABEL.Key]: SHARP });
  });
  await check('what does not exist cannot be tagged', async () => {
    const unknown = { ...subject, ResourceId: [NO_DISK], Tag: [LABEL] };
    await refused('InvalidResourceId.NotFound', 404, () => cloud.call('TagResources', unknown));
  });
}

async function resizeOnline(check, cloud, diskId) {
  const grown = { DiskId: diskId, NewSize: 30, Type: 'online', ClientToken: 'r:30' };
  await check('an attached disk grows online, without an order that is paid in advance', async () => {
    equal((await cloud.call('ResizeDisk', grown)).orderId, undefined);
    await wait((disk) => disk.size === 30, () => cloud.disk(diskId));
  });
  await check('a repeated resize with its token is no error', async () => {
    await cloud.call('ResizeDisk', grown);
    equal((await cloud.disk(diskId)).size, 30);
  });
  await check('a disk never shrinks, nor grows to the size that it has', async () => {
    const resize = (NewSize) => cloud.call('ResizeDisk', { DiskId: diskId, NewSize, Type: 'online' });
    await refused('InvalidDiskSize.TooSmall', 403, () => resize(20));
    await refused('InvalidDiskSize', 403, () => resize(30));
  });
}

async function resizeOffline(check, cloud, diskId) {
  const grown = { DiskId: diskId, NewSize: 40 };
  await check('a disk that is attached nowhere does not grow online', async () => {
    const online = () => cloud.call('ResizeDisk', { ...grown, Type: 'online' });
    await refused('IncorrectDiskStatus', 403, online);
  });
  await check('a disk that is attached nowhere grows offline, which needs no word', async () => {
    await cloud.call('ResizeDisk', grown);
    await wait((disk) => disk.size === 40, () => cloud.disk(diskId));
  });
}

async function changeKind(check, cloud, diskId) {
  const change = (wanted) => cloud.call('ModifyDiskSpec', { DiskId: diskId, ...wanted });
  await check('what a dry run would do is told by an error, and not done', async () => {
    const tried = () => change({ DiskCategory: 'cloud_auto', DryRun: true });
    await refused('DryRunOperation', 400, tried);
    equal((await cloud.disk(diskId)).category, 'cloud_essd');
  });
  await check('a performance level that the disk is too small for is refused', async () => {
    const code = 'OperationDenied.PerformanceLevelNotMatch';
    await refused(code, 403, () => change({ PerformanceLevel: 'PL3' }));
  });
  await check('a performance level never becomes PL0', async () => {
    await refused('InvalidPerformanceLevel.TooLow', 403, () => change({ PerformanceLevel: 'PL0' }));
  });
  await check('a category that no disk can change to is refused', async () => {
    const code = 'InvalidDiskCategory.ValueNotSupported';
    await refused(code, 400, () => change({ DiskCategory: 'cloud' }));
  });
  await check('a category changes by a task that ends', async () => {
    const { taskId } = await change({ DiskCategory: 'cloud_auto' });
    const task = async () => (await cloud.call('DescribeTasks', { TaskIds: taskId })).taskSet.task[0];
    const seen = await wait((it) => it.taskStatus === 'Finished', task);
    equal(seen.taskAction, 'ModifyDiskSpec');
    equal((await cloud.disk(diskId)).category, 'cloud_auto');
  });
  await check('a change to what the disk is already is refused', async () => {
    const code = 'NoChangeInDiskCategoryAndPerformanceLevel';
    await refused(code, 403, () => change({ DiskCategory: 'cloud_auto' }));
  });
}

async function changeLevel(check, cloud) {
  const diskId = await cloud.create({ PerformanceLevel: 'PL0' });
  await cloud.settled(diskId, 'Available');
  await check('a performance level that changes alone has no task', async () => {
    const wanted = { DiskId: diskId, PerformanceLevel: 'PL1' };
    equal((await cloud.call('ModifyDiskSpec', wanted)).taskId, undefined);
    await wait((disk) => disk.performanceLevel === 'PL1', () => cloud.disk(diskId));
  });
  await cloud.deleteWhenReady(diskId);
}

module.exports = { tags, resizeOnline, resizeOffline, changeKind, changeLevel };
