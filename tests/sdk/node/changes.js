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
  await check('an attached disk grows online', async () => {
    await cloud.call('ResizeDisk', grown);
    await wait((disk) => disk.size === 30, () => cloud.disk(diskId));
  });
  await check('a repeated resize with its token is no error', async () => {
    await cloud.call('ResizeDisk', grown);
    equal((await cloud.disk(diskId)).size, 30);
  });
  await check('a disk never shrinks', async () => {
    const shrunk = { DiskId: diskId, NewSize: 20, Type: 'online' };
    await refused('InvalidDiskSize.TooSmall', 403, () => cloud.call('ResizeDisk', shrunk));
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

async function changeLevel(check, cloud, diskId) {
  const change = (PerformanceLevel, other) =>
    cloud.call('ModifyDiskSpec', { DiskId: diskId, PerformanceLevel, ...other });
  await check('what a dry run would do is told by an error, and not done', async () => {
    await refused('DryRunOperation', 400, () => change('PL0', { DryRun: true }));
    equal((await cloud.disk(diskId)).performanceLevel, 'PL1');
  });
  await check('a performance level that the disk is too small for is refused', async () => {
    await refused('OperationDenied.PerformanceLevelNotMatch', 403, () => change('PL3'));
  });
  await check('a performance level changes by a task that ends', async () => {
    const { taskId } = await change('PL0');
    const task = async () => (await cloud.call('DescribeTasks', { TaskIds: taskId })).taskSet.task[0];
    const seen = await wait((it) => it.taskStatus === 'Finished', task);
    equal(seen.taskAction, 'ModifyDiskSpec');
    equal((await cloud.disk(diskId)).performanceLevel, 'PL0');
  });
  await check('a change to what the disk is already is refused', async () => {
    const code = 'NoChangeInDiskCategoryAndPerformanceLevel';
    await refused(code, 403, () => change('PL0'));
  });
}

module.exports = { tags, resizeOnline, resizeOffline, changeLevel };
