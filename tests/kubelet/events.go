package kubelet

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"k8s.io/client-go/tools/record"
)

// events keeps what `kubectl describe pod` would show.
type events struct {
	recorder *record.FakeRecorder
	mutex    sync.Mutex
	all      []string
}

func newEvents() *events { return &events{recorder: record.NewFakeRecorder(100)} }

func (e *events) collect(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-e.recorder.Events:
			fmt.Printf("    event: %s\n", event)
			e.mutex.Lock()
			e.all = append(e.all, event)
			e.mutex.Unlock()
		}
	}
}

func (e *events) count() int {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return len(e.all)
}

// find gives the first event that holds all the words, not counting those already seen.
func (e *events) find(seen int, words ...string) string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
next:
	for _, event := range e.all[seen:] {
		for _, word := range words {
			if !strings.Contains(event, word) {
				continue next
			}
		}
		return event
	}
	return ""
}

func (e *events) String() string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return strings.Join(e.all, "\n")
}
