package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// The emulator's transitions take a twentieth of a second, on a machine that may be slow.
const (
	patience = 20 * time.Second
	pause    = 20 * time.Millisecond
)

// Everything that some encoder or other writes differently from the canonical form.
const sharp = "pvc a+b*~é'!()/&=%"

const noDisk = "d-00000000000000000000"

// fields are an action's parameters, by the wire's names.
type fields map[string]any

var label = fields{"Key": "drivebay.test/volume", "Value": sharp}

// client is an SDK, called by the wire's names; answers have gone through the SDK's own types.
type client interface {
	call(action string, parameters fields) (answer, error)
}

// generation makes clients of one kind, and says what the emulator is to see of them.
type generation struct {
	new       func(*emulator, options) client
	signature string
}

// client is one that is let in.
func (g generation) client(e *emulator) client {
	return g.new(e, options{access: e.access, ca: e.ca})
}

// options are what a client may be given otherwise than it should be.
type options struct {
	access access
	// PEM; the system's own where it is empty.
	ca string
	// What a request says of when it was made and that it is new; the SDK decides where they are empty.
	date, nonce string
}

// refusal is the API's error, as the SDK understood it.
type refusal struct {
	status  int
	code    string
	message string
	// The SDK's own.
	cause error
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.status, r.code, r.message)
}

// refused says that what was done was refused with this code.
func refused(code string, status int, err error) error {
	if err == nil {
		return fmt.Errorf("expected %s, got success", code)
	}
	var seen *refusal
	if !errors.As(err, &seen) {
		return err
	}
	return equal(fmt.Sprint(seen.status, " ", seen.code), fmt.Sprint(status, " ", code))
}

// How Go puts it, whatever the SDK puts around it.
var (
	distrusted = regexp.MustCompile("certificate")
	cut        = regexp.MustCompile("EOF|connection reset")
)

// unreached says that what was done got no answer, and no refusal either, for a reason in which these words stand.
func unreached(words *regexp.Regexp, err error) error {
	var seen *refusal
	if err == nil || errors.As(err, &seen) {
		return fmt.Errorf("expected no connection, got %v", err)
	}
	return holds(words.MatchString(err.Error()), err)
}

// answer is a part of what an action answered.
type answer struct{ value any }

// read makes an answer of an SDK's own type.
func read(typed any) (answer, error) {
	text, err := json.Marshal(typed)
	if err != nil {
		return answer{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err = decoder.Decode(&value)
	return answer{value}, err
}

func (a answer) at(names ...string) answer {
	value := a.value
	for _, name := range names {
		inner, _ := value.(map[string]any)
		value = inner[name]
	}
	return answer{value}
}

// text is empty where there is nothing, as one generation cannot tell the two apart.
func (a answer) text(names ...string) string {
	switch value := a.at(names...).value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		return ""
	}
}

func (a answer) number(names ...string) int {
	number, _ := a.at(names...).value.(json.Number)
	value, _ := number.Int64()
	return int(value)
}

func (a answer) flag(names ...string) bool {
	value, _ := a.at(names...).value.(bool)
	return value
}

func (a answer) list(names ...string) []answer {
	values, _ := a.at(names...).value.([]any)
	list := make([]answer, 0, len(values))
	for _, value := range values {
		list = append(list, answer{value})
	}
	return list
}

// texts are those of one field of a list.
func (a answer) texts(field string, names ...string) []string {
	texts := []string{}
	for _, item := range a.list(names...) {
		texts = append(texts, item.text(field))
	}
	return texts
}

func words(a answer) []string {
	list := []string{}
	for _, item := range a.list() {
		list = append(list, item.text())
	}
	return list
}

// wait asks until the answer is as wanted, and answers it.
func wait(until func(answer) bool, ask func() (answer, error)) (answer, error) {
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		seen, err := ask()
		if err != nil || until(seen) {
			return seen, err
		}
		if time.Now().After(end) {
			return seen, fmt.Errorf("still %v after %s", seen.value, patience)
		}
	}
}

// cloud is the client, and what is asked of it all the time.
type cloud struct {
	client
	*emulator
}

// create makes a disk of the smallest size that every performance level but the higher ones has.
func (c cloud) create(parameters fields) (string, error) {
	wanted := fields{"ZoneId": c.zone, "DiskCategory": "cloud_essd", "Size": 20}
	made, err := c.call("CreateDisk", wanted.with(parameters))
	return made.text("DiskId"), err
}

func (f fields) with(more fields) fields {
	both := fields{}
	for _, fields := range []fields{f, more} {
		for name, value := range fields {
			both[name] = value
		}
	}
	return both
}

// ids are those of the disks of one description.
func (c cloud) ids(filters fields) ([]string, error) {
	found, err := c.call("DescribeDisks", filters)
	return found.texts("DiskId", "Disks", "Disk"), err
}

// disk is one that is there.
func (c cloud) disk(id string) (answer, error) {
	found, err := c.call("DescribeDisks", fields{"DiskIds": ids(id)})
	disks := found.list("Disks", "Disk")
	if err == nil && len(disks) != 1 {
		err = fmt.Errorf("%d disks are called %s", len(disks), id)
	}
	if err != nil {
		return answer{}, err
	}
	return disks[0], nil
}

// settled is the disk once a field of it has this value.
func (c cloud) settled(id, field, value string) (answer, error) {
	return wait(
		func(disk answer) bool { return disk.text(field) == value },
		func() (answer, error) { return c.disk(id) },
	)
}

func (c cloud) available(id string) error {
	_, err := c.settled(id, "Status", "Available")
	return err
}

// snapshot is one that is there.
func (c cloud) snapshot(id string) (answer, error) {
	found, err := c.call("DescribeSnapshots", fields{"SnapshotIds": ids(id)})
	snapshots := found.list("Snapshots", "Snapshot")
	if err == nil && len(snapshots) != 1 {
		err = fmt.Errorf("%d snapshots are called %s", len(snapshots), id)
	}
	if err != nil {
		return answer{}, err
	}
	return snapshots[0], nil
}

// deleteWhenReady deletes a disk that may still be under way.
func (c cloud) deleteWhenReady(id string) error {
	if err := c.available(id); err != nil {
		return err
	}
	return c.do("DeleteDisk", fields{"DiskId": id})
}

// do is a call whose answer says nothing.
func (c cloud) do(action string, parameters fields) error {
	_, err := c.call(action, parameters)
	return err
}

func ids(ids ...string) string {
	text, _ := json.Marshal(ids)
	return string(text)
}

// tagsOf a resource: they go out as Key and Value, and come back as TagKey and TagValue.
func tagsOf(tags []answer) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		all[tag.text("TagKey")] = tag.text("TagValue")
	}
	return all
}
