package kubelet

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/volume/util"
)

// A claim grows while a pod uses it: expandvolume from the controller, expandfs from kubelet. A driver that cannot has
// to refuse: where it answers "Not supported" instead, Kubernetes claims success although nothing grew.
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

	refusal := c.expand(t, claim, "2Gi")
	switch status := s.calls.of("expandvolume")[0].status(); status {
	case "Success":
		must(t, refusal)
		expectGrown(t, n, claim, pod)
	case "Failure":
		expectUnchanged(t, claim, refusal)
	default:
		t.Errorf("expandvolume answered %q, and nobody is told that nothing grew", status)
	}
	n.remove(t, pod, claim.name)
	n.awaitDeviceReleased(t, claim.name)
	if attachable {
		s.awaitUnused(t)
		c.detach(t, util.GetUniqueVolumeName(s.driver, claim.name), nil)
	}
}

func expectUnchanged(t *testing.T, claim claim, refusal error) {
	t.Helper()
	if refusal == nil {
		t.Error("the driver refused, and the claim's owner is not told")
	}
	have := claim.request(t).Status.Capacity[v1.ResourceStorage]
	if want := resource.MustParse("1Gi"); have.Cmp(want) != 0 {
		t.Errorf("the driver refused, and the claim's status says %s", have.String())
	}
}

func expectGrown(t *testing.T, n *node, claim claim, pod *v1.Pod) {
	t.Helper()
	want := resource.MustParse("2Gi")
	eventually(t, "the claim's status to say 2Gi", n.patient, func() bool {
		// kubelet notices the new size when it synchronises the pod.
		n.awaitMounted(t, pod)
		have := claim.request(t).Status.Capacity[v1.ResourceStorage]
		return have.Cmp(want) >= 0
	})
}
