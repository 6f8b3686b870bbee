package kubelet

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// kubelet finds the driver in its plugin directory, and finds it again after an upgrade that never leaves the
// directory without a whole executable.
func TestProbe(t *testing.T) {
	s := newSetup(t)
	n := startNode(t, s, byController)
	if _, err := n.plugins.FindPluginByName(s.driver); err != nil {
		t.Fatalf("kubelet does not find the driver: %v", err)
	}
	first := s.calls.of("init")
	if len(first) == 0 {
		t.Fatal("init was never called")
	}
	// The probe holds a lock that every plugin look-up of kubelet needs.
	if took := first[0].took; took > 2*time.Second {
		t.Errorf("init took %s; kubelet looks up no plugin meanwhile", took)
	}

	next := filepath.Join(filepath.Dir(executable()), ".next")
	program, err := os.ReadFile(executable())
	must(t, err)

	t.Run("a hidden file is not probed", func(t *testing.T) {
		must(t, os.WriteFile(next, program, 0o755))
		t.Cleanup(func() { _ = os.Remove(next) })
		before := len(s.calls.of("init"))
		time.Sleep(300 * time.Millisecond)
		_, err := n.plugins.FindPluginByName(s.driver)
		must(t, err)
		if now := len(s.calls.of("init")); now != before {
			t.Fatalf("init was called %d times more", now-before)
		}
	})

	t.Run("a replaced executable is probed again", func(t *testing.T) {
		before := len(s.calls.of("init"))
		must(t, os.WriteFile(next, program, 0o755))
		must(t, os.Rename(next, executable()))
		eventually(t, "init of the new executable", s.patience, func() bool {
			_, err := n.plugins.FindPluginByName(s.driver)
			must(t, err)
			return len(s.calls.of("init")) > before
		})
	})
}
