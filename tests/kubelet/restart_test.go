package kubelet

import (
	"os"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/kubernetes/pkg/volume/util"
)

// kubelet keeps no record of volumes. After a restart it reads their names back from its directories, and a driver is
// asked to release a volume of which neither options nor secrets are known any more.
func TestRestart(t *testing.T) {
	t.Run("a pod that goes on keeps its volume", func(t *testing.T) {
		s, n, claim, release := startWithVolume(t)
		pod := claim.pod()
		n.run(t, pod)
		n.stop()
		n = startNode(t, s, byController, pod)
		n.awaitMounted(t, pod)
		// kubelet sets the volume up again, and calls the driver for that wherever it cannot see the mount.
		expectOneMount(t, n.podPath(pod, claim.name))
		n.remove(t, pod, claim.name)
		n.awaitDeviceReleased(t, claim.name)
		release()
	})

	t.Run("a pod deleted meanwhile gives up its volume", func(t *testing.T) {
		s, n, claim, release := startWithVolume(t)
		pod := claim.pod()
		n.run(t, pod)
		n.stop()
		n = startNode(t, s, byController)
		expectReleased(t, n, pod, claim.name)
		n.awaitDeviceReleased(t, claim.name)
		expectNoOptions(t, s)
		release()
	})

	t.Run("a directory without a mount is removed", func(t *testing.T) {
		s := newSetup(t)
		pod := &v1.Pod{}
		pod.UID = uuid.NewUUID()
		n := &node{dir: s.kubeletDir, driver: s.driver}
		must(t, os.MkdirAll(n.podPath(pod, inlineName), 0o750))
		// A crash between mkdir and mount leaves this; unmount is called all the same.
		n = startNode(t, s, byController)
		expectReleased(t, n, pod, inlineName)
	})
}

// startWithVolume gives a node and a claim it can mount, attached by the controller where the driver wants that. The
// function undoes it the way a restarted controller does, by name alone.
func startWithVolume(t *testing.T) (*setup, *node, claim, func()) {
	t.Helper()
	s := newSetup(t)
	s.source.readOnly = *readOnly
	n := startNode(t, s, byController)
	claim := s.source.claim(t, s.cluster, "1Gi")
	if !isAttachable(t, n) {
		return s, n, claim, func() {}
	}
	c := startController(t, s)
	c.attach(t, claim.spec(t))
	return s, n, claim, func() {
		t.Helper()
		s.awaitUnused(t)
		c.detach(t, util.GetUniqueVolumeName(s.driver, claim.name), nil)
	}
}

func expectReleased(t *testing.T, n *node, pod *v1.Pod, volumeName string) {
	t.Helper()
	path := n.podPath(pod, volumeName)
	eventually(t, "kubelet to release "+path, n.patient, func() bool {
		mounts, err := mountsUnder(path)
		must(t, err)
		_, err = os.Lstat(path)
		return len(mounts) == 0 && os.IsNotExist(err)
	})
}

// expectNoOptions asserts the premise: if kubelet did tell the driver more, this scenario would prove nothing.
func expectNoOptions(t *testing.T, s *setup) {
	t.Helper()
	calls := append(s.calls.of("unmount"), s.calls.of("unmountdevice")...)
	if len(calls) == 0 {
		t.Error("the driver was never asked to unmount")
	}
	for _, call := range calls {
		if strings.Contains(strings.Join(call.args, " "), "{") {
			t.Errorf("%s got options: %q", call.command(), call.args)
		}
	}
}
