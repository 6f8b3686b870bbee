package kubelet

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/kubernetes/pkg/kubelet/config"
	"k8s.io/kubernetes/pkg/kubelet/volumemanager"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/flexvolume"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/volumepathhandler"
	"k8s.io/mount-utils"
	utilstrings "k8s.io/utils/strings"
)

// attachedBy is kubelet's --enable-controller-attach-detach, spelt out.
type attachedBy int

const (
	byController attachedBy = iota
	byKubelet
)

// node is the storage half of one kubelet process: its plugin prober and its volume manager, both as shipped, whose
// loops mount, unmount and retry by themselves. Starting a second node on the same directory is a kubelet restart.
type node struct {
	*cluster
	dir     string
	driver  string
	patient time.Duration
	plugins *volume.VolumePluginMgr
	manager volumemanager.VolumeManager
	pods    *pods
	events  *events
	calls   *callOuts
	cancel  context.CancelFunc
}

// startNode starts kubelet with pods already assigned to it, as after a restart.
func startNode(t *testing.T, s *setup, by attachedBy, assigned ...*v1.Pod) *node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	mounter, events := mount.New(""), newEvents()
	n := &node{
		cluster: s.cluster, dir: s.kubeletDir, driver: s.driver, patient: s.patience,
		plugins: &volume.VolumePluginMgr{}, pods: newPods(assigned), events: events, calls: s.calls, cancel: cancel,
	}
	t.Cleanup(n.stop)
	host := &nodeHost{dir: n.dir, node: n.cluster.node, client: s.cluster, mounter: mounter, recorder: events.recorder}
	must(t, os.MkdirAll(host.GetPodsDir(), 0o750))
	prober := flexvolume.GetDynamicPluginProber(ctx, s.pluginDir, s.calls.as("kubelet"))
	must(t, n.plugins.InitPlugins(nil, prober, host))
	n.manager = volumemanager.NewVolumeManager(by == byController, n.cluster.node, n.pods, n.pods, s.cluster, n.plugins,
		mounter, hostutil.NewHostUtil(), host.GetPodsDir(), events.recorder, volumepathhandler.NewBlockVolumePathHandler())
	go events.collect(ctx)
	go n.manager.Run(ctx, config.NewSourcesReady(func(sets.Set[string]) bool { return true }))
	go n.reportInUse(ctx)
	return n
}

// stop ends this kubelet. Its loops look at their context once a round, and a call-out they started is not cut short;
// one that hangs is left behind.
func (n *node) stop() {
	n.cancel()
	deadline := time.Now().Add(n.patient)
	for quiet := 0; quiet < 4 && time.Now().Before(deadline); quiet++ {
		time.Sleep(50 * time.Millisecond)
		if n.calls.running.Load() > 0 {
			quiet = 0
		}
	}
}

// reportInUse is kubelet's node status loop: the attach controller detaches nothing that is listed here, and kubelet
// mounts nothing attachable before it was.
func (n *node) reportInUse(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if !n.manager.ReconcilerStatesHasBeenSynced() {
			continue
		}
		inUse := n.manager.GetVolumesInUse()
		if n.updateNode(func(status *v1.NodeStatus) { status.VolumesInUse = inUse }) == nil {
			n.manager.MarkVolumesAsReportedInUse(inUse)
		}
	}
}

// run assigns the pod to this node and waits until kubelet would start its containers.
func (n *node) run(t *testing.T, pod *v1.Pod) {
	t.Helper()
	n.pods.add(pod)
	n.awaitMounted(t, pod)
}

func (n *node) awaitMounted(t *testing.T, pod *v1.Pod) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), n.patient)
	defer cancel()
	if err := n.manager.WaitForAttachAndMount(ctx, pod); err != nil {
		t.Fatalf("%s never got its volume: %v\n%s", pod.Name, err, n.events)
	}
}

// remove deletes the pod and waits until kubelet has unmounted its volume and removed the directory.
func (n *node) remove(t *testing.T, pod *v1.Pod, volumeName string) {
	t.Helper()
	n.pods.delete(pod)
	n.awaitUnmounted(t, pod, volumeName)
}

func (n *node) awaitUnmounted(t *testing.T, pod *v1.Pod, volumeName string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), n.patient)
	defer cancel()
	if err := n.manager.WaitForUnmount(ctx, pod); err != nil {
		t.Fatalf("%s kept its volume: %v\n%s", pod.Name, err, n.events)
	}
	expectGone(t, n.podPath(pod, volumeName))
}

// refuses assigns the pod, waits for the event that tells its owner why it does not start, and takes it away again.
func (n *node) refuses(t *testing.T, pod *v1.Pod, volumeName string) string {
	t.Helper()
	seen := n.events.count()
	n.pods.add(pod)
	var why string
	eventually(t, "an event about "+pod.Name, n.patient, func() bool {
		why = n.events.find(seen, "Warning", `"`+volumeName+`"`)
		return why != ""
	})
	n.remove(t, pod, volumeName)
	return why
}

// podPath is where kubelet wants the volume for the pod; containers are started with this path.
func (n *node) podPath(pod *v1.Pod, volumeName string) string {
	return filepath.Join(n.dir, "pods", string(pod.UID), "volumes", utilstrings.EscapeQualifiedName(n.driver), volumeName)
}

// devicePath is where an attachable driver mounts the volume once for the node.
func (n *node) devicePath(volumeName string) string {
	return filepath.Join(n.dir, "plugins", "kubernetes.io", "flexvolume", n.driver, "mounts", volumeName)
}

// awaitDeviceReleased waits for unmountdevice, which kubelet calls on its own time after the last pod has left.
func (n *node) awaitDeviceReleased(t *testing.T, volumeName string) {
	t.Helper()
	eventually(t, "kubelet to give up "+volumeName, n.patient, func() bool { return len(n.manager.GetVolumesInUse()) == 0 })
	expectGone(t, n.devicePath(volumeName))
}
