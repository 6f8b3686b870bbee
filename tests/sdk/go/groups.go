package main

import "strings"

// groups is the life of snapshots that are cut together, with the disk that is there and a second one.
func groups(report *report, c cloud, disk string) {
	other, err := c.create(fields{})
	here := fields{"DiskId": other, "InstanceId": c.instance}
	report.check("a second disk is attached", func() error {
		err := all(err, c.available(other), c.do("AttachDisk", here))
		if err != nil {
			return err
		}
		_, err = c.settled(other, "Status", "In_use")
		return err
	})
	disks := []string{disk, other}
	cut := createGroup(report, c, disks)
	describeGroup(report, c, cut, disks)
	report.check("a group of a disk that does not exist is refused", func() error {
		missing := fields{"DiskId": []string{disk, noDisk}}
		return refused("InvalidDiskId.NotFound", 404, c.do("CreateSnapshotGroup", missing))
	})
	deleteGroup(report, c, cut)
	report.check("the second disk goes", func() error {
		return all(c.do("DetachDisk", here), c.deleteWhenReady(other))
	})
}

var groupLabel = fields{"Key": "drivebay.test/group", "Value": "1"}

func createGroup(report *report, c cloud, disks []string) string {
	wanted := fields{
		"DiskId": disks, "Name": "group-1", "ClientToken": "g:group-1", "Tag": []fields{groupLabel},
	}
	var cut string
	report.check("a group of snapshots is created", func() error {
		made, err := c.call("CreateSnapshotGroup", wanted)
		cut = made.text("SnapshotGroupId")
		return all(err, holds(strings.HasPrefix(cut, "ssg-"), cut))
	})
	report.check("a group's token answers the same group again", func() error {
		again, err := c.call("CreateSnapshotGroup", wanted)
		return all(err, equal(again.text("SnapshotGroupId"), cut))
	})
	report.check("a group's token with other disks is refused", func() error {
		changed := wanted.with(fields{"DiskId": disks[:1]})
		return refused("IdempotentParameterMismatch", 403, c.do("CreateSnapshotGroup", changed))
	})
	return cut
}

func describeGroup(report *report, c cloud, cut string, disks []string) {
	list := func(filters fields) (answer, error) {
		found, err := c.call("DescribeSnapshotGroups", filters)
		return found.at("SnapshotGroups", "SnapshotGroup"), err
	}
	var group answer
	report.check("a group becomes accomplished and has a snapshot of each disk", func() error {
		look := func() (answer, error) {
			found, err := list(fields{"SnapshotGroupId": []string{cut}})
			if err != nil {
				return answer{}, err
			}
			return found.list()[0], nil
		}
		var err error
		group, err = wait(func(it answer) bool { return it.text("Status") == "accomplished" }, look)
		usable := []bool{}
		for _, member := range group.list("Snapshots", "Snapshot") {
			usable = append(usable, member.flag("Available"))
		}
		moment := group.text("CreationTime")
		return all(
			err,
			equal(group.text("Name"), "group-1"),
			holds(strings.HasSuffix(moment, "Z"), moment),
			equal(group.texts("SourceDiskId", "Snapshots", "Snapshot"), disks),
			equal(usable, []bool{true, true}),
		)
	})
	report.check("a group's tags come back as they were sent, unlike those of disks", func() error {
		tag := group.list("Tags", "Tag")[0]
		return equal(fields{"Key": tag.text("Key"), "Value": tag.text("Value")}, groupLabel)
	})
	report.check("a group is found by its tag", func() error {
		found, err := list(fields{"Tag": []fields{groupLabel}})
		return all(err, equal(found.texts("SnapshotGroupId"), []string{cut}))
	})
	report.check("a snapshot of a group tells its size and, in its name, the group", func() error {
		member := group.texts("SnapshotId", "Snapshots", "Snapshot")[0]
		snapshot, err := c.snapshot(member)
		return all(
			err,
			equal(snapshot.text("SourceDiskSize"), "20"),
			equal(snapshot.text("SnapshotName"), "Created_from_"+cut),
		)
	})
}

func deleteGroup(report *report, c cloud, cut string) {
	report.check("a group goes with its snapshots, and says which", func() error {
		gone, err := c.call("DeleteSnapshotGroup", fields{"SnapshotGroupId": cut})
		done := gone.at("OperationProgressSet", "OperationProgress")
		names := []string{}
		for _, progress := range done.list() {
			names = append(names, progress.texts("Name", "RelatedItemSet", "RelatedItem")...)
		}
		left, errLeft := c.call("DescribeSnapshotGroups", fields{"SnapshotGroupId": []string{cut}})
		return all(
			err, errLeft,
			equal(done.texts("OperationStatus"), []string{"Success", "Success"}),
			equal(names, []string{"SnapshotId", "SnapshotId"}),
			equal(len(left.list("SnapshotGroups", "SnapshotGroup")), 0),
		)
	})
	report.check("a group cannot be deleted twice", func() error {
		again := c.do("DeleteSnapshotGroup", fields{"SnapshotGroupId": cut})
		return refused("InvalidSnapshotGroup.NotFound", 404, again)
	})
}
