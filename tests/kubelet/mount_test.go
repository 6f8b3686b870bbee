package kubelet

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	v1 "k8s.io/api/core/v1"
)

// inlineName is how kubelet names the directory of a volume written into the pod; a PersistentVolume's is its own name.
const inlineName = "data"

// A pod gets the volume at kubelet's path, and leaves nothing behind. kubelet attaches by itself here, so attachable
// drivers take part too.
func TestMount(t *testing.T) {
	if !*readOnly {
		t.Run("an inline volume keeps what was written", keepsData)
		t.Run("two pods share a persistent volume", sharesClaim)
		t.Run("several pods at once", mountsAtOnce)
		t.Run("fsGroup", handsOverFSGroup)
	}
	t.Run("an inline read-only volume refuses writes", func(t *testing.T) {
		s, n := start(t)
		pod := s.readOnly().inline()
		n.run(t, pod)
		expectReadOnlyVolume(t, n, s, pod, inlineName)
	})
	t.Run("a read-only claim refuses writes", func(t *testing.T) {
		s, n := start(t)
		claim := s.readOnly().claim(t, s.cluster, "1Gi")
		pod := claim.pod()
		n.run(t, pod)
		expectReadOnlyVolume(t, n, s, pod, claim.name)
	})
	t.Run("an unknown option is refused", func(t *testing.T) {
		s, n := start(t)
		why := n.refuses(t, s.source.with("no-such-option", "1").inline(), inlineName)
		if !strings.Contains(why, "no-such-option") {
			t.Errorf("the event does not name the option: %s", why)
		}
		n.awaitDeviceReleased(t, inlineName)
	})
}

func start(t *testing.T) (*setup, *node) {
	t.Helper()
	s := newSetup(t)
	s.source.readOnly = *readOnly
	return s, startNode(t, s, byKubelet)
}

func (s *setup) readOnly() source {
	source := s.source
	source.readOnly = true
	return source
}

func keepsData(t *testing.T) {
	s, n := start(t)
	first, second := s.source.inline(), s.source.inline()
	n.run(t, first)
	expectOneMount(t, n.podPath(first, inlineName))
	expectWritable(t, n.podPath(first, inlineName), "kept", "by "+first.Name)
	n.remove(t, first, inlineName)
	n.awaitDeviceReleased(t, inlineName)

	n.run(t, second)
	expectContent(t, n.podPath(second, inlineName), "kept", "by "+first.Name)
	must(t, os.Remove(n.podPath(second, inlineName)+"/kept"))
	n.remove(t, second, inlineName)
	n.awaitDeviceReleased(t, inlineName)
}

func sharesClaim(t *testing.T) {
	s, n := start(t)
	claim := s.source.claim(t, s.cluster, "1Gi")
	writer, reader := claim.pod(), claim.pod()
	n.run(t, writer)
	n.run(t, reader)
	expectWritable(t, n.podPath(writer, claim.name), "shared", writer.Name)
	expectContent(t, n.podPath(reader, claim.name), "shared", writer.Name)
	n.remove(t, writer, claim.name)
	// One pod leaving must not take the volume from the other.
	expectOneMount(t, n.podPath(reader, claim.name))
	must(t, os.Remove(n.podPath(reader, claim.name)+"/shared"))
	n.remove(t, reader, claim.name)
	n.awaitDeviceReleased(t, claim.name)
}

// A claim, because kubelet mixes up attachable inline volumes: two pods that both call theirs `data` count as sharing
// one, whatever the options, and while the first runs the second makes GenerateMountVolumeFunc dereference nil.
func mountsAtOnce(t *testing.T) {
	s, n := start(t)
	claim := s.source.claim(t, s.cluster, "1Gi")
	var all []*v1.Pod
	for range 4 {
		pod := claim.pod()
		all = append(all, pod)
		n.pods.add(pod)
	}
	for _, pod := range all {
		n.awaitMounted(t, pod)
		expectOneMount(t, n.podPath(pod, claim.name))
	}
	for _, pod := range all {
		n.pods.delete(pod)
	}
	for _, pod := range all {
		n.awaitUnmounted(t, pod, claim.name)
	}
	n.awaitDeviceReleased(t, claim.name)
}

// The group travels under another key than the FlexVolume document says, and kubelet changes ownership by itself
// only where init left the fsGroup capability on.
func handsOverFSGroup(t *testing.T) {
	s, n := start(t)
	const group = int64(4242)
	pod := s.source.inline()
	asked := group
	pod.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &asked}
	n.run(t, pod)
	calls := s.calls.of("mount")
	if got := calls[len(calls)-1].options()["kubernetes.io/mounterArgs.FsGroup"]; got != fmt.Sprint(group) {
		t.Errorf("mount got fsGroup %q, want %d", got, group)
	}
	info, err := os.Stat(n.podPath(pod, inlineName))
	must(t, err)
	owner := int64(info.Sys().(*syscall.Stat_t).Gid)
	fmt.Printf("    the volume's group is %d\n", owner)
	if capable := s.calls.of("init")[0].capability("fsGroup"); capable && owner != group {
		t.Errorf("fsGroup is a capability of the driver, yet the volume's group is %d", owner)
	}
	n.remove(t, pod, inlineName)
	n.awaitDeviceReleased(t, inlineName)
}

func expectReadOnlyVolume(t *testing.T, n *node, s *setup, pod *v1.Pod, volumeName string) {
	t.Helper()
	expectOneMount(t, n.podPath(pod, volumeName))
	expectReadOnly(t, n.podPath(pod, volumeName))
	for _, call := range s.calls.of("mount") {
		options := call.options()
		if options["kubernetes.io/pod.uid"] == string(pod.UID) && options["kubernetes.io/readwrite"] != "ro" {
			t.Errorf("mount got readwrite %q", options["kubernetes.io/readwrite"])
		}
	}
	n.remove(t, pod, volumeName)
	n.awaitDeviceReleased(t, volumeName)
}
