package kubelet

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A secret reaches mount, and only mount, in base64; one that was not made for this driver does not.
func TestSecret(t *testing.T) {
	s, n := start(t)
	value := "correct horse battery staple\xff"
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	addSecret(t, s, "mine", v1.SecretType(s.driver), value)
	addSecret(t, s, "other", v1.SecretTypeOpaque, value)

	t.Run("reaches mount", func(t *testing.T) {
		s.source.secret = "mine"
		pod := s.source.inline()
		n.run(t, pod)
		calls := s.calls.of("mount")
		if got := calls[len(calls)-1].options()["kubernetes.io/secret/token"]; got != encoded {
			t.Errorf("mount got %q, want %q", got, encoded)
		}
		n.remove(t, pod, inlineName)
		n.awaitDeviceReleased(t, inlineName)
	})

	t.Run("of another type never reaches the driver", func(t *testing.T) {
		before := len(s.calls.of("mount"))
		s.source.secret = "other"
		why := n.refuses(t, s.source.inline(), inlineName)
		n.awaitDeviceReleased(t, inlineName)
		if !strings.Contains(why, "cannot get secret of type") {
			t.Errorf("unexpected event: %s", why)
		}
		if now := len(s.calls.of("mount")); now != before {
			t.Errorf("mount was called %d times", now-before)
		}
	})

	// kubelet logs a failing call-out's arguments when the driver exits with anything but 0.
	t.Run("does not reach the log of kubelet", func(t *testing.T) {
		s.source.secret = "mine"
		n.refuses(t, s.source.with("no-such-option", "1").inline(), inlineName)
		n.awaitDeviceReleased(t, inlineName)
		if kubeletLog.holds(encoded) || kubeletLog.holds(value) {
			t.Error("the secret is in kubelet's log")
		}
		if event := n.events.find(0, encoded); event != "" {
			t.Errorf("the secret is in an event: %s", event)
		}
	})
}

func addSecret(t *testing.T, s *setup, name string, kind v1.SecretType, value string) {
	t.Helper()
	secret := &v1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Type:       kind,
		Data:       map[string][]byte{"token": []byte(value)},
	}
	_, err := s.CoreV1().Secrets(namespace).Create(context.Background(), secret, metav1.CreateOptions{})
	must(t, err)
}
