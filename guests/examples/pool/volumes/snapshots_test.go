package volumes

import (
	"strings"
	"testing"

	"backend/condition"
)

// fakeStore has what lies at each path; a directory has the content of what it was copied from.
type fakeStore struct {
	fakePool
	content map[string]string
	clock   uint64
	times   map[string]uint64
}

func newStore() *fakeStore {
	return &fakeStore{fakePool{}, map[string]string{}, 1000, map[string]uint64{}}
}

func (store *fakeStore) CopyTree(source, to string) error {
	if _, is := store.fakePool[source]; !is {
		return condition.NotFound.Errorf("no %s", source)
	}
	if _, is := store.fakePool[to]; is {
		return condition.AlreadyExists.Errorf("%s is there", to)
	}
	store.fakePool[to], store.content[to] = store.fakePool[source], store.content[source]
	return nil
}

func (store *fakeStore) CreateFile(path string, content []byte) error {
	if _, is := store.times[path]; is {
		return condition.AlreadyExists.Errorf("%s is there", path)
	}
	store.clock++
	store.content[path], store.times[path] = string(content), store.clock
	return nil
}

func (store *fakeStore) ReadFile(path string) ([]byte, error) {
	if _, is := store.times[path]; !is {
		return nil, condition.NotFound.Errorf("no %s", path)
	}
	return []byte(store.content[path]), nil
}

func (store *fakeStore) Modified(path string) (uint64, error) {
	if _, err := store.ReadFile(path); err != nil {
		return 0, err
	}
	return store.times[path], nil
}

func (store *fakeStore) RemoveTree(path string) error {
	delete(store.content, path)
	delete(store.times, path)
	return store.fakePool.RemoveTree(path)
}

func made[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestASnapshotHasTheContentOfItsMoment(t *testing.T) {
	store := newStore()
	music := made(Make(store, "music", 0o755, ""))
	store.content[music] = "first"
	first := made(Cut(store, "monday", music))
	store.content[music] = "second"
	if again := made(Cut(store, "monday", music)); again != first {
		t.Error("another one", again, first)
	}
	restored := made(Make(store, "old", 0o755, first.ID))
	if store.content[restored] != "first" {
		t.Error(store.content)
	}
	if origin := made(Origin(store, "v."+restored)); origin != first.ID {
		t.Error(origin)
	}
}

func TestANameThatIsTakenIsTakenOnce(t *testing.T) {
	store := newStore()
	for _, name := range []string{"music", "films"} {
		made(Make(store, name, 0o755, ""))
	}
	if _, err := Cut(store, "monday", "music"); err != nil {
		t.Fatal(err)
	}
	if _, err := Cut(store, "monday", "films"); !condition.AlreadyExists.Is(err) {
		t.Error(err)
	}
	if _, err := Make(store, "films", 0o755, "monday"); !condition.AlreadyExists.Is(err) {
		t.Error(err)
	}
}

func TestWhatIsForgottenLeavesNothingBehind(t *testing.T) {
	store := newStore()
	made(Make(store, "music", 0o755, ""))
	if _, err := Cut(store, "monday", "music"); err != nil {
		t.Fatal(err)
	}
	made(Make(store, "old", 0o755, "monday"))
	for range 2 {
		if err := Forget(store, "monday"); err != nil {
			t.Fatal(err)
		}
		for _, volume := range []string{"music", "old"} {
			if err := Remove(store, volume); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Find(store, "monday"); !condition.NotFound.Is(err) {
		t.Error(err)
	}
	for path := range store.fakePool {
		if !strings.HasPrefix(path, ".") || strings.Contains(path, "/") {
			t.Error("left behind:", path)
		}
	}
	if len(store.times) > 0 {
		t.Error("left behind:", store.times)
	}
}

func TestATreeThatIsOlderThanItsRecordIsNotTaken(t *testing.T) {
	store := newStore()
	made(Make(store, "music", 0o755, ""))
	store.content["music"] = "today"
	store.fakePool[snapshots+"monday"], store.content[snapshots+"monday"] = 0o755, "of a snapshot that was forgotten"
	if _, err := Cut(store, "monday", "music"); err != nil || store.content[snapshots+"monday"] != "today" {
		t.Error(err, store.content)
	}
}
