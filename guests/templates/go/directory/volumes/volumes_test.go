package volumes

import (
	"strings"
	"testing"

	"backend/condition"
)

// fakePool has the modes of its directories.
type fakePool map[string]uint32

func (pool fakePool) Mkdir(path string, mode uint32) error {
	if _, is := pool[path]; !is {
		pool[path] = mode
	}
	return nil
}

func (pool fakePool) Stat(path string) (string, error) {
	if _, is := pool[path]; !is {
		return "", condition.NotFound.Errorf("no %s", path)
	}
	return "directory", nil
}

func (pool fakePool) RemoveTree(path string) error {
	delete(pool, path)
	return nil
}

func TestAVolumeComesAndGoesHoweverOftenItIsAskedFor(t *testing.T) {
	pool := fakePool{}
	for range 2 {
		if id, err := Create(pool, "music", 0o770); id != "music" || err != nil {
			t.Fatal(id, err)
		}
	}
	if err := Require(pool, "music"); err != nil || pool["music"] != 0o770 {
		t.Fatal(err, pool)
	}
	for range 2 {
		if err := Delete(pool, "music"); err != nil || len(pool) > 0 {
			t.Fatal(err, pool)
		}
	}
	if err := Require(pool, "music"); !condition.NotFound.Is(err) {
		t.Fatal(err)
	}
}

func TestEveryNameGetsAnIDOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	names := []string{"pvc-1.a", "..", ".hidden", "a/b", "a-b", "a_b", "a_2fb", "ü", strings.Repeat("n", 128)}
	for _, last := range []string{"a", "b"} {
		names = append(names, strings.Repeat("ü", 63)+last)
	}
	for _, name := range names {
		id, err := IDFor(name)
		if other, is := seen[id]; is || err != nil || !isID(id) {
			t.Errorf("%q: %q as of %q, %v", name, id, other, err)
		}
		seen[id] = name
	}
	if _, err := IDFor(""); !condition.InvalidArgument.Is(err) {
		t.Error(err)
	}
}

func TestAnIDThatAPersonWroteLeadsNowhereElse(t *testing.T) {
	pool := fakePool{}
	for _, id := range []string{"", ".", "..", "../etc", "music/a", "/music", "a\n", strings.Repeat("n", 129)} {
		pool[id] = 0o755
		if err := Require(pool, id); !condition.InvalidArgument.Is(err) {
			t.Errorf("%q: %v", id, err)
		}
		if err := Delete(pool, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	if len(pool) != 8 {
		t.Error(pool)
	}
}

func TestAModeIsOctal(t *testing.T) {
	if mode, err := Mode("2770"); mode != 0o2770 || err != nil {
		t.Fatal(mode, err)
	}
	for _, wrong := range []string{"", "rwx", "888", "17777", "-1", "0x1"} {
		if _, err := Mode(wrong); !condition.InvalidArgument.Is(err) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
