// Package volumes says what becomes of a volume: a directory of the pool, whose name is the volume's id.
//
// The pool is the host's directory, or a fake one in tests. Every function may be called again after a lost answer, and
// then finds what it did.
package volumes

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"backend/condition"
)

// PoolName is what the operator's file grants the pool under.
const PoolName = "pool"

// Longest is what a volume's id may have, in bytes.
const Longest = 128

// Pool is as much of the host's directory as is used here.
type Pool interface {
	Mkdir(path string, mode uint32) error
	Stat(path string) (kind string, err error)
	RemoveTree(path string) error
}

// Create makes the volume for a claim, unless it is there, and answers its id.
func Create(pool Pool, name string, mode uint32) (string, error) {
	id, err := IDFor(name)
	if err != nil {
		return "", err
	}
	return id, pool.Mkdir(id, mode)
}

// Delete removes the volume with all that is in it. What Create cannot have made is not there.
func Delete(pool Pool, id string) error {
	if !isID(id) {
		return nil
	}
	return pool.RemoveTree(id)
}

// Require fails with not-found unless the volume is there. An id may be what a person wrote.
func Require(pool Pool, id string) error {
	if !isID(id) {
		return condition.InvalidArgument.Errorf(
			"volume %q: write the name of one directory of the pool, not beginning with a dot", id)
	}
	kind, err := pool.Stat(id)
	if err != nil && !condition.NotFound.Is(err) {
		return err
	}
	if kind != "directory" {
		return condition.NotFound.Errorf("the pool has no volume %s", id)
	}
	return nil
}

// Mode reads permission bits as a class says them.
func Mode(written string) (uint32, error) {
	mode, err := strconv.ParseUint(written, 8, 32)
	if err != nil || mode > 0o7777 {
		return 0, condition.InvalidArgument.Errorf("mode %q: write octal digits, as 0755", written)
	}
	return uint32(mode), nil
}

// IDFor leaves letters, digits, dots and dashes as they are, and makes all others their bytes. What is too long then is
// cut, and ends with `_.`, which else none has, and the SHA-256 of the name. So no two names get one id.
func IDFor(name string) (string, error) {
	var id strings.Builder
	for at := range len(name) {
		if letter := name[at]; stays(letter) && (letter != '.' || at > 0) {
			id.WriteByte(letter)
		} else {
			fmt.Fprintf(&id, "_%02x", letter)
		}
	}
	switch {
	case name == "":
		return "", condition.InvalidArgument.Errorf("a volume without a name has no id; write one")
	case id.Len() > Longest:
		end := fmt.Sprintf("_.%x", sha256.Sum256([]byte(name)))
		return id.String()[:Longest-len(end)] + end, nil
	}
	return id.String(), nil
}

func isID(id string) bool {
	if id == "" || len(id) > Longest || id[0] == '.' {
		return false
	}
	for at := range len(id) {
		if letter := id[at]; !stays(letter) && letter != '_' {
			return false
		}
	}
	return true
}

func stays(letter byte) bool {
	return 'a' <= letter && letter <= 'z' || 'A' <= letter && letter <= 'Z' || '0' <= letter && letter <= '9' ||
		letter == '-' || letter == '.'
}
