package kubelet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/mount-utils"
)

// mountsUnder lists what the kernel has mounted at or beneath dir, oldest first, stacked mounts included.
func mountsUnder(dir string) ([]mount.MountInfo, error) {
	all, err := mount.ParseMountInfo("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []mount.MountInfo
	for _, entry := range all {
		if entry.MountPoint == dir || strings.HasPrefix(entry.MountPoint, dir+"/") {
			found = append(found, entry)
		}
	}
	return found, nil
}

func expectOneMount(t *testing.T, path string) {
	t.Helper()
	mounts, err := mountsUnder(path)
	must(t, err)
	if len(mounts) != 1 {
		t.Fatalf("want exactly one mount at %s, the kernel has %d: %v", path, len(mounts), mounts)
	}
}

func expectGone(t *testing.T, path string) {
	t.Helper()
	mounts, err := mountsUnder(path)
	must(t, err)
	if len(mounts) != 0 {
		t.Fatalf("still mounted: %v", mounts)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("directory %s is left behind: %v", path, err)
	}
}

func expectWritable(t *testing.T, dir, name, content string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, name))
	must(t, err)
	defer file.Close()
	_, err = file.WriteString(content)
	must(t, err)
	// A network filesystem reports a refused write no later than here.
	must(t, file.Sync())
	expectContent(t, dir, name, content)
}

func expectContent(t *testing.T, dir, name, content string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	if string(got) != content {
		t.Fatalf("%s holds %q, want %q", name, got, content)
	}
}

func expectReadOnly(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Create(filepath.Join(dir, "refused")); !errors.Is(err, unix.EROFS) {
		t.Fatalf("writing to a read-only volume: want EROFS, got %v", err)
	}
}

// eventually polls as kubelet's loops do: nothing there tells when it is done.
func eventually(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", within, what)
		}
	}
}

// release takes down what a failed scenario left mounted, newest first, and says what it was. Detaching lazily never
// hangs, not even on a dead NFS server.
func release(dir string) []string {
	var left []string
	mounts, _ := mountsUnder(dir)
	for i := len(mounts) - 1; i >= 0; i-- {
		left = append(left, mounts[i].MountPoint)
		_ = unix.Unmount(mounts[i].MountPoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	return left
}

// removeEmpty removes dir and the directories in it. A file among them is something a driver wrote where no volume was
// mounted; it stays, for someone to wonder about.
func removeEmpty(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			removeEmpty(filepath.Join(dir, entry.Name()))
		}
	}
	_ = unix.Rmdir(dir)
}
