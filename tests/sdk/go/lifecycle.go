package main

import (
	"slices"
	"strings"
)

// lifecycle is the life of a disk, as every client has to see it: the same sentences for every SDK and signature. What
// comes later uses what came before.
func lifecycle(report *report, client client, emulator *emulator) {
	c := cloud{client, emulator}
	disk := create(report, c)
	find(report, c, disk)
	page(report, c)
	neverAttached(report, c, disk)
	attach(report, c, disk)
	snapshots(report, c, disk)
	groups(report, c, disk)
	tags(report, c, disk)
	resizeOnline(report, c, disk)
	detach(report, c, disk)
	resizeOffline(report, c, disk)
	changeKind(report, c, disk)
	changeLevel(report, c)
	remove(report, c, disk)
	surroundings(report, c)
}

func neverAttached(report *report, c cloud, disk string) {
	report.check("a disk that was never attached has no snapshots", func() error {
		code := "IncorrectDiskStatus.NeverAttached"
		return all(
			refused(code, 403, c.do("CreateSnapshot", fields{"DiskId": disk})),
			refused(code, 403, c.do("CreateSnapshotGroup", fields{"DiskId": []string{disk}})),
		)
	})
}

func attach(report *report, c cloud, disk string) {
	to := func(instance, disk string) error {
		return c.do("AttachDisk", fields{"DiskId": disk, "InstanceId": instance})
	}
	report.check("a disk cannot be attached to an instance that does not exist", func() error {
		return refused("InvalidInstanceId.NotFound", 404, to("i-00000000000000000000", disk))
	})
	report.check("a disk that does not exist cannot be attached", func() error {
		return refused("InvalidDiskId.NotFound", 404, to(c.instance, noDisk))
	})
	report.check("AttachDisk answers before the disk shows anything of it", func() error {
		err := all(
			c.fault(map[string]any{"action": "AttachDisk", "kind": "stays-attaching"}),
			to(c.instance, disk),
		)
		if err != nil {
			return err
		}
		once, err := c.disk(disk)
		again, errAgain := c.disk(disk)
		statuses := []string{once.text("Status"), again.text("Status")}
		return all(err, errAgain, equal(statuses, []string{"Available", "Attaching"}))
	})
	report.check("an attached disk names its instance and its device", func() error {
		if err := c.clearFaults(); err != nil {
			return err
		}
		attached, err := c.settled(disk, "Status", "In_use")
		device := attached.text("Device")
		return all(
			err,
			equal(attached.text("InstanceId"), c.instance),
			holds(strings.HasPrefix(device, "/dev/xvd"), device),
			equal(attached.texts("InstanceId", "Attachments", "Attachment"), []string{c.instance}),
		)
	})
	report.check("an attached disk is found by its instance", func() error {
		found, err := c.ids(fields{"InstanceId": c.instance})
		return all(err, holds(slices.Contains(found, disk), found))
	})
	report.check("an attached disk cannot be attached to another instance", func() error {
		return refused("IncorrectDiskStatus", 403, to(c.otherInstance, disk))
	})
	report.check("an attached disk cannot be deleted", func() error {
		return refused("IncorrectDiskStatus", 403, c.do("DeleteDisk", fields{"DiskId": disk}))
	})
}

func snapshots(report *report, c cloud, disk string) {
	wanted := fields{"DiskId": disk, "SnapshotName": "snap-1", "ClientToken": "s:snap-1"}
	var cut string
	report.check("a snapshot is created", func() error {
		if err := c.set("pace", "held"); err != nil {
			return err
		}
		made, err := c.call("CreateSnapshot", wanted)
		cut = made.text("SnapshotId")
		return all(err, holds(strings.HasPrefix(cut, "s-"), cut))
	})
	report.check("a snapshot tells its moment once it is cut, and is usable later", func() error {
		return all(moments(c, cut), c.set("pace", "running"))
	})
	report.check("a snapshot's token answers the same snapshot again", func() error {
		again, err := c.call("CreateSnapshot", wanted)
		return all(err, equal(again.text("SnapshotId"), cut))
	})
	report.check("a snapshot's token with another name is refused", func() error {
		other := wanted.with(fields{"SnapshotName": "snap-2"})
		return refused("IdempotentParameterMismatch", 403, c.do("CreateSnapshot", other))
	})
	report.check("a snapshot becomes accomplished and names its source", func() error {
		seen, err := c.snapshot(cut)
		return all(
			err,
			equal(seen.text("Status"), "accomplished"),
			equal(seen.flag("Available"), true),
			equal(seen.text("Progress"), "100%"),
			equal(seen.text("SourceDiskId"), disk),
			equal(seen.text("SourceDiskSize"), "20"),
		)
	})
	report.check("a disk's snapshots are listed by its id", func() error {
		listed, err := c.call("DescribeSnapshots", fields{"DiskId": disk})
		return all(
			err,
			equal(listed.texts("SnapshotId", "Snapshots", "Snapshot"), []string{cut}),
			equal(listed.number("TotalCount"), 1),
		)
	})
	restore(report, c, cut)
	report.check("a deleted snapshot is gone", func() error {
		err := c.do("DeleteSnapshot", fields{"SnapshotId": cut})
		listed, errListed := c.call("DescribeSnapshots", fields{"DiskId": disk})
		return all(err, errListed, equal(len(listed.list("Snapshots", "Snapshot")), 0))
	})
	report.check("a snapshot cannot be deleted twice", func() error {
		again := c.do("DeleteSnapshot", fields{"SnapshotId": cut})
		return refused("InvalidSnapshotId.NotFound", 404, again)
	})
}

// moments walks a snapshot to its end.
func moments(c cloud, cut string) error {
	type moment struct{ isCut, isUsable bool }
	seen := []moment{}
	for {
		snapshot, err := c.snapshot(cut)
		if err != nil {
			return err
		}
		seen = append(seen, moment{snapshot.text("CreationTime") != "", snapshot.flag("Available")})
		if len(seen) == 3 {
			return equal(seen, []moment{{false, false}, {true, false}, {true, true}})
		}
		if err := c.step(); err != nil {
			return err
		}
	}
}

func restore(report *report, c cloud, cut string) {
	var restored string
	report.check("a disk from a snapshot is not smaller than that, whatever was asked for", func() error {
		var err error
		restored, err = c.create(fields{"SnapshotId": cut, "Size": 1})
		if err != nil {
			return err
		}
		disk, err := c.settled(restored, "Status", "Available")
		return all(err, equal(disk.number("Size"), 20), equal(disk.text("SourceSnapshotId"), cut))
	})
	report.check("a snapshot that a disk was made from is not deleted without force", func() error {
		tried := c.do("DeleteSnapshot", fields{"SnapshotId": cut})
		return refused("SnapshotCreatedDisk", 403, tried)
	})
	report.check("a disk from a snapshot can be deleted", func() error {
		return c.deleteWhenReady(restored)
	})
}

func detach(report *report, c cloud, disk string) {
	from := func(instance string) error {
		return c.do("DetachDisk", fields{"DiskId": disk, "InstanceId": instance})
	}
	report.check("a disk is not detached from an instance that does not have it", func() error {
		return refused("DependencyViolation", 403, from(c.otherInstance))
	})
	report.check("a detached disk is Available and names no instance", func() error {
		if err := from(c.instance); err != nil {
			return err
		}
		detached, err := c.settled(disk, "Status", "Available")
		return all(
			err,
			equal(detached.text("InstanceId"), ""),
			equal(len(detached.list("Attachments", "Attachment")), 0),
		)
	})
	report.check("a disk that is attached nowhere cannot be detached", func() error {
		return refused("InvalidDisk.AlreadyDetached", 404, from(c.instance))
	})
}

func remove(report *report, c cloud, disk string) {
	report.check("a deleted disk is gone from the list", func() error {
		err := c.do("DeleteDisk", fields{"DiskId": disk})
		found, errFound := c.ids(fields{"DiskIds": ids(disk)})
		return all(err, errFound, equal(found, []string{}))
	})
	report.check("a disk cannot be deleted twice", func() error {
		return refused("InvalidDiskId.NotFound", 404, c.do("DeleteDisk", fields{"DiskId": disk}))
	})
}

func surroundings(report *report, c cloud) {
	var kind string
	report.check("an instance shows where it is and that it runs", func() error {
		found, err := c.call("DescribeInstances", fields{"InstanceIds": ids(c.instance)})
		if err != nil {
			return err
		}
		instance := found.list("Instances", "Instance")[0]
		kind = instance.text("InstanceType")
		return all(
			equal(instance.text("InstanceId"), c.instance),
			equal(instance.text("ZoneId"), c.zone),
			equal(instance.text("Status"), "Running"),
		)
	})
	report.check("an instance's type says how many disks it takes, as a number", func() error {
		asked := fields{"InstanceTypes": []string{kind}, "MaxResults": 100}
		found, err := c.call("DescribeInstanceTypes", asked)
		if err != nil {
			return err
		}
		// Of its attributes the first generation knows nothing.
		quantity := found.list("InstanceTypes", "InstanceType")[0].number("DiskQuantity")
		return holds(quantity > 1, quantity)
	})
	report.check("a zone's stock of disks names categories and their sizes", func() error {
		asked := fields{"DestinationResource": "DataDisk", "ResourceType": "disk", "ZoneId": c.zone}
		found, err := c.call("DescribeAvailableResource", asked)
		if err != nil {
			return err
		}
		zone := found.list("AvailableZones", "AvailableZone")[0]
		stock := zone.list("AvailableResources", "AvailableResource")[0]
		offered := stock.list("SupportedResources", "SupportedResource")
		essd := slices.IndexFunc(offered, func(it answer) bool { return it.text("Value") == "cloud_essd" })
		return all(
			equal(offered[essd].text("Status"), "Available"),
			holds(offered[essd].number("Max") > 1000, offered[essd].number("Max")),
		)
	})
	report.check("zones are listed with the categories that they have", func() error {
		found, err := c.call("DescribeZones", fields{})
		if err != nil {
			return err
		}
		zones := found.list("Zones", "Zone")
		own := slices.IndexFunc(zones, func(it answer) bool { return it.text("ZoneId") == c.zone })
		offered := words(zones[own].at("AvailableDiskCategories", "DiskCategories"))
		seen := []bool{slices.Contains(offered, "cloud_essd"), slices.Contains(offered, "cloud_ssd")}
		return equal(seen, []bool{true, false})
	})
	events(report, c)
}

func events(report *report, c cloud) {
	list := func(filters fields) ([]answer, error) {
		asked := fields{"ResourceId": []string{c.instance}}
		found, err := c.call("DescribeInstanceHistoryEvents", asked.with(filters))
		return found.list("InstanceSystemEventSet", "InstanceSystemEventType"), err
	}
	report.check("an instance's history has what is over, and what is not if that is asked for", func() error {
		told := fields{"event_type": "SystemFailure.Reboot", "status": "Executing", "reason": "a fault"}
		instances := map[string]any{c.instance: fields{"events": []fields{told}}}
		if err := c.set("instances", instances); err != nil {
			return err
		}
		over, errOver := list(fields{})
		underway, err := list(fields{"InstanceEventCycleStatus": []string{"Executing"}})
		if err := all(errOver, err, equal(len(over), 0), equal(len(underway), 1)); err != nil {
			return err
		}
		event := underway[0]
		seen := []string{event.text("InstanceId"), event.text("Reason"), event.text("EventType", "Name")}
		return equal(seen, []string{c.instance, "a fault", "SystemFailure.Reboot"})
	})
}
