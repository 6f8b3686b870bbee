package volumes

import "backend/condition"

// No volume's id begins with a dot, so that these are nobody's volumes.
const (
	snapshots = ".snapshots/" // what was cut, a directory each
	origins   = ".origins/"   // what a volume or a snapshot was made of, written before it is made
	cut       = ".cut/"       // when a snapshot was cut: an empty file, written when it is whole
)

// Store is as much of the host's directory as is used for snapshots.
type Store interface {
	Pool
	CopyTree(source, to string) error
	CreateFile(path string, content []byte) error
	ReadFile(path string) ([]byte, error)
	Modified(path string) (seconds uint64, err error)
}

// Snapshot is one that is whole.
type Snapshot struct {
	ID, Volume string
	CutAt      uint64
}

// Cut makes the snapshot of that name, unless it is there.
func Cut(store Store, name, volume string) (Snapshot, error) {
	id, err := IDFor(name)
	if err != nil {
		return Snapshot{}, err
	}
	if found, err := Find(store, id); !condition.NotFound.Is(err) {
		if err == nil && found.Volume != volume {
			err = condition.AlreadyExists.Errorf("snapshot %s is one of volume %s", id, found.Volume)
		}
		return found, err
	}
	if err := Require(store, volume); err != nil {
		return Snapshot{}, err
	}
	if err := copyOnce(store, "s."+id, volume, volume, snapshots+id); err != nil {
		return Snapshot{}, err
	}
	if err := store.CreateFile(cut+id, nil); err != nil && !condition.AlreadyExists.Is(err) {
		return Snapshot{}, err
	}
	return Find(store, id)
}

// Find is a snapshot that is whole, or NotFound.
func Find(store Store, id string) (Snapshot, error) {
	if !isID(id) {
		return Snapshot{}, condition.InvalidArgument.Errorf("snapshot %q: no snapshot has such an id", id)
	}
	at, err := store.Modified(cut + id)
	if condition.NotFound.Is(err) {
		return Snapshot{}, condition.NotFound.Errorf("the pool has no snapshot %s", id)
	}
	if err != nil {
		return Snapshot{}, err
	}
	volume, err := Origin(store, "s."+id)
	return Snapshot{id, volume, at}, err
}

// Forget removes a snapshot: first that it is whole, so that nobody takes what is left for one.
func Forget(store Store, id string) error {
	if !isID(id) {
		return nil
	}
	for _, path := range []string{cut + id, snapshots + id, origins + "s." + id} {
		if err := store.RemoveTree(path); err != nil {
			return err
		}
	}
	return nil
}

// Make makes the volume for a claim, unless it is there, and answers its id: of a snapshot, or empty and with that mode.
func Make(store Store, name string, mode uint32, snapshot string) (string, error) {
	id, err := IDFor(name)
	if err != nil {
		return "", err
	}
	if err := Require(store, id); !condition.NotFound.Is(err) {
		if err == nil {
			err = recorded(store, "v."+id, snapshot)
		}
		return id, err
	}
	if snapshot == "" {
		return Create(store, name, mode)
	}
	if _, err := Find(store, snapshot); err != nil {
		return "", err
	}
	return id, copyOnce(store, "v."+id, snapshot, snapshots+snapshot, id)
}

// Remove removes a volume, and then what it was made of.
func Remove(store Store, id string) error {
	if err := Delete(store, id); err != nil || !isID(id) {
		return err
	}
	return store.RemoveTree(origins + "v." + id)
}

// Origin is what something was made of: of a volume the snapshot, or nothing; of a snapshot the volume.
func Origin(store Store, id string) (string, error) {
	content, err := store.ReadFile(origins + id)
	if condition.NotFound.Is(err) {
		return "", nil
	}
	return string(content), err
}

// A copy that did not end in time goes on in the host, and the next try joins it. What was forgotten while it was copied
// may have left a tree, which is not what is asked for now.
func copyOnce(store Store, id, of, source, to string) error {
	for _, directory := range []string{snapshots, origins, cut} {
		if err := store.Mkdir(directory[:len(directory)-1], 0o700); err != nil {
			return err
		}
	}
	err := store.CreateFile(origins+id, []byte(of))
	if err == nil {
		err = store.RemoveTree(to)
	} else if condition.AlreadyExists.Is(err) {
		err = recorded(store, id, of)
	}
	if err != nil {
		return err
	}
	if err := store.CopyTree(source, to); err != nil && !condition.AlreadyExists.Is(err) {
		return err
	}
	return nil
}

func recorded(store Store, id, of string) error {
	origin, err := Origin(store, id)
	if err == nil && origin != of {
		return condition.AlreadyExists.Errorf("%s was made of %q, not of %q", id[2:], origin, of)
	}
	return err
}
