package kubelet

import (
	"encoding/json"
	"testing"
)

// The controller attaches, kubelet waits, mounts once for the node and once for each pod, and all of it is undone in
// the opposite order.
func TestAttach(t *testing.T) {
	s := newSetup(t)
	s.source.readOnly = *readOnly
	n := startNode(t, s, byController)
	requireAttachable(t, n)
	c := startController(t, s)
	claim := s.source.claim(t, s.cluster, "1Gi")
	spec := claim.spec(t)
	name := c.uniqueName(t, spec)

	c.attach(t, spec)
	if !c.isAttached(t, spec) {
		t.Fatal("attached, but isattached says otherwise")
	}
	t.Run("attaching again is success", func(t *testing.T) { c.attach(t, spec) })

	first, second := claim.pod(), claim.pod()
	n.run(t, first)
	n.run(t, second)
	for _, path := range []string{n.podPath(first, claim.name), n.podPath(second, claim.name)} {
		expectOneMount(t, path)
		if *readOnly {
			expectReadOnly(t, path)
		} else {
			expectWritable(t, path, "written", path)
		}
	}
	if mounted := s.calls.of("mountdevice"); len(mounted) > 1 && mounted[0].status() == "Success" {
		t.Errorf("mountdevice was called %d times for one volume on one node", len(mounted))
	}

	n.remove(t, first, claim.name)
	expectOneMount(t, n.podPath(second, claim.name))
	n.remove(t, second, claim.name)
	n.awaitDeviceReleased(t, claim.name)

	s.awaitUnused(t)
	c.detach(t, name, spec)
	c.isAttached(t, spec)
	expectDetached(t, s)
	// A controller that crashed after detach asks again, knowing only the name.
	t.Run("detaching again is success", func(t *testing.T) { c.detach(t, name, nil) })
}

func requireAttachable(t *testing.T, n *node) {
	t.Helper()
	if isAttachable(t, n) {
		return
	}
	if *scenario == "all" {
		t.Skip("the driver does not attach")
	}
	t.Fatal("the driver does not attach: init answered the capability attach as false")
}

func isAttachable(t *testing.T, n *node) bool {
	t.Helper()
	plugin, err := n.plugins.FindAttachablePluginByName(n.driver)
	must(t, err)
	return plugin != nil
}

// awaitUnused waits until the node's status, which the detaching controller trusts, lists no volume in use.
func (s *setup) awaitUnused(t *testing.T) {
	t.Helper()
	eventually(t, "the node's status to list no volume in use", s.patience, func() bool { return len(s.inUse(t)) == 0 })
}

// expectDetached reads the driver's own last word: success that does not say `attached` means detached.
func expectDetached(t *testing.T, s *setup) {
	t.Helper()
	calls := s.calls.of("isattached")
	if len(calls) == 0 {
		return
	}
	var answer struct{ Attached bool }
	must(t, json.Unmarshal(calls[len(calls)-1].answer, &answer))
	if answer.Attached {
		t.Error("detached, but isattached says otherwise")
	}
}
