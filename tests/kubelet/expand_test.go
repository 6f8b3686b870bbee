package kubelet

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/volume/util"
)

// A claim grows while a pod uses it, and the next pod starts. Kubernetes raises the PersistentVolume's size by itself and
// calls expandfs on the node, and nothing else: a driver that grows its backend in expandvolume alone would have pods
// fail from then on. One that cannot grow has to refuse: where it answers "Not supported" instead, Kubernetes claims
// success although nothing grew.
func TestExpand(t *testing.T) {
	s := newSetup(t)
	n := startNode(t, s, byController)
	c := startController(t, s)
	claim := s.source.claim(t, s.cluster, "1Gi")
	attachable := isAttachable(t, n)
	if attachable {
		c.attach(t, claim.spec(t))
	}
	pod := claim.pod()
	n.run(t, pod)

	c.grow(t, claim, "2Gi")
	switch status := awaitExpandFS(t, s, n, pod); status {
	case "Success":
		expectGrown(t, n, claim, pod)
		n.remove(t, pod, claim.name)
		pod = claim.pod()
		n.run(t, pod)
	case "Failure":
		expectUnchanged(t, claim)
	default:
		t.Errorf("expandfs answered %q, and nobody is told that nothing grew", status)
	}
	if calls := s.calls.of("expandvolume"); len(calls) > 0 {
		t.Errorf("expandvolume was called %d times: Kubernetes has learnt it, and the driver has less to do", len(calls))
	}
	n.remove(t, pod, claim.name)
	n.awaitDeviceReleased(t, claim.name)
	if attachable {
		s.awaitUnused(t)
		c.detach(t, util.GetUniqueVolumeName(s.driver, claim.name), nil)
	}
}

// awaitExpandFS gives the first answer to expandfs.
func awaitExpandFS(t *testing.T, s *setup, n *node, pod *v1.Pod) string {
	t.Helper()
	eventually(t, "expandfs to be called", n.patient, func() bool {
		// kubelet notices the new size when it synchronises the pod.
		n.awaitMounted(t, pod)
		return len(s.calls.of("expandfs")) > 0
	})
	return s.calls.of("expandfs")[0].status()
}

func expectUnchanged(t *testing.T, claim claim) {
	t.Helper()
	have := claim.request(t).Status.Capacity[v1.ResourceStorage]
	if want := resource.MustParse("1Gi"); have.Cmp(want) != 0 {
		t.Errorf("the driver refused, and the claim's status says %s", have.String())
	}
}

func expectGrown(t *testing.T, n *node, claim claim, pod *v1.Pod) {
	t.Helper()
	want := resource.MustParse("2Gi")
	eventually(t, "the claim's status to say 2Gi", n.patient, func() bool {
		n.awaitMounted(t, pod)
		have := claim.request(t).Status.Capacity[v1.ResourceStorage]
		return have.Cmp(want) >= 0
	})
}
