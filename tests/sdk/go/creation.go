package main

import (
	"slices"
	"strings"
)

// create says how disks come to be.
func create(report *report, c cloud) string {
	wanted := fields{
		"DiskName":         "pvc-1",
		"Description":      sharp,
		"PerformanceLevel": "PL1",
		"Encrypted":        false,
		"ClientToken":      "n:pvc-1",
		"Tag":              []fields{label, {"Key": "k2", "Value": "v 2"}},
	}
	var disk string
	report.check("a disk is created, and its id leaves a serial number of 20 characters", func() error {
		var err error
		disk, err = c.create(wanted)
		return all(err, holds(strings.HasPrefix(disk, "d-") && len(disk) == 22, disk))
	})
	report.check("the same token with the same parameters answers the same disk", func() error {
		again, err := c.create(wanted)
		return all(err, equal(again, disk))
	})
	report.check("the same token with another size is refused", func() error {
		_, err := c.create(wanted.with(fields{"Size": 21}))
		return refused("IdempotentParameterMismatch", 400, err)
	})
	report.check("the disk becomes Available with everything it was created with", func() error {
		seen, err := c.settled(disk, "Status", "Available")
		return all(
			err,
			equal(seen.number("Size"), 20),
			equal(seen.text("DiskName"), "pvc-1"),
			equal(seen.text("Description"), sharp),
			equal(seen.text("Category"), "cloud_essd"),
			equal(seen.text("PerformanceLevel"), "PL1"),
			equal(seen.text("ZoneId"), c.zone),
			equal(seen.flag("Encrypted"), false),
			equal(seen.text("Type"), "data"),
			equal(seen.text("DiskChargeType"), "PostPaid"),
		)
	})
	report.check("the disk's serial number is its id without d-", func() error {
		seen, err := c.disk(disk)
		return all(err, equal(seen.text("SerialNumber"), disk[2:]))
	})
	report.check("an ordinary disk says that it cannot be shared", func() error {
		seen, err := c.disk(disk)
		return all(err, equal(seen.text("MultiAttach"), "Disabled"))
	})
	report.check("the disk's tags come back as they were sent", func() error {
		seen, err := c.disk(disk)
		expected := map[string]string{"drivebay.test/volume": sharp, "k2": "v 2"}
		return all(err, equal(tagsOf(seen.list("Tags", "Tag")), expected))
	})
	malformed(report, c)
	return disk
}

func malformed(report *report, c cloud) {
	cases := []struct {
		what, code string
		status     int
		parameters fields
	}{
		{"a size its performance level lacks", "InvalidDiskSize.NotSupported", 400, fields{"Size": 5}},
		{"a category that does not exist", "InvalidDiskCategory.NotSupported", 400,
			fields{"DiskCategory": "cloud_floppy"}},
		{"a zone that does not exist", "InvalidZoneId.NotFound", 404, fields{"ZoneId": "cn-hangzhou-zz"}},
		{"a name that begins with a digit", "InvalidDiskName.Malformed", 400, fields{"DiskName": "1st"}},
		{"a category that no zone of a public cloud has", "InvalidDataDiskCategory.NotSupported", 400,
			fields{"DiskCategory": "cloud_essd_xc0", "Size": 40}},
		{"a snapshot that does not exist", "InvalidSnapshotId.NotFound", 404,
			fields{"SnapshotId": "s-00000000000000000000"}},
	}
	for _, it := range cases {
		report.check("a disk of "+it.what+" is refused", func() error {
			_, err := c.create(it.parameters)
			return refused(it.code, it.status, err)
		})
	}
}

// find says how disks are found.
func find(report *report, c cloud, disk string) {
	finds := func(filters fields, expected ...string) error {
		found, err := c.ids(filters)
		return all(err, equal(found, append([]string{}, expected...)))
	}
	report.check("a disk that does not exist is left out of the list, not refused", func() error {
		return finds(fields{"DiskIds": ids(disk, noDisk)}, disk)
	})
	report.check("an empty list of ids finds nothing", func() error {
		return finds(fields{"DiskIds": "[]"})
	})
	report.check("a list of ids that is no list is refused", func() error {
		_, err := c.ids(fields{"DiskIds": disk})
		return refused("InvalidParameter.DiskIds", 400, err)
	})
	report.check("a disk is found by its name", func() error {
		return finds(fields{"DiskName": "pvc-1"}, disk)
	})
	report.check("a disk is found by a tag with every character that encoders differ in", func() error {
		return finds(fields{"Tag": []fields{label}}, disk)
	})
	report.check("a disk is found by whether it goes with its instance", func() error {
		stays, err := c.ids(fields{"DeleteWithInstance": false})
		goes, errGoes := c.ids(fields{"DeleteWithInstance": true})
		seen := []bool{slices.Contains(stays, disk), slices.Contains(goes, disk)}
		return all(err, errGoes, equal(seen, []bool{true, false}))
	})
	report.check("what a dry run would find is told by an error", func() error {
		_, err := c.ids(fields{"DryRun": true})
		return refused("DryRunOperation", 400, err)
	})
	report.check("a disk is not found by another value of its tag", func() error {
		return finds(fields{"Tag": []fields{label.with(fields{"Value": "other"})}})
	})
}

// page says how long lists are read.
func page(report *report, c cloud) {
	mark := fields{"Tag": []fields{{"Key": "drivebay.test/page", "Value": "yes"}}}
	made := []string{}
	for range 12 {
		disk, err := c.create(mark.with(fields{"Size": 1, "PerformanceLevel": "PL0"}))
		if err != nil {
			report.check("twelve disks are created", func() error { return err })
			return
		}
		made = append(made, disk)
	}
	slices.Sort(made)
	describe := func(which fields) (answer, []string, error) {
		page, err := c.call("DescribeDisks", mark.with(which))
		return page, page.texts("DiskId", "Disks", "Disk"), err
	}
	report.check("pages by number show each disk once, and how many there are", func() error {
		lengths, totals, seen := []int{}, []int{}, []string{}
		for number := 1; number <= 3; number++ {
			page, shown, err := describe(fields{"PageNumber": number, "PageSize": 5})
			if err != nil {
				return err
			}
			lengths, totals = append(lengths, len(shown)), append(totals, page.number("TotalCount"))
			seen = append(seen, shown...)
		}
		slices.Sort(seen)
		return all(
			equal(lengths, []int{5, 5, 2}), equal(totals, []int{12, 12, 12}), equal(seen, made),
		)
	})
	report.check("a page beyond the end is empty", func() error {
		_, shown, err := describe(fields{"PageNumber": 4, "PageSize": 5})
		return all(err, equal(shown, []string{}))
	})
	report.check("pages by token show each disk once, and end", func() error {
		first, seen, err := describe(fields{"MaxResults": 10})
		token := first.text("NextToken")
		rest, more, errRest := describe(fields{"MaxResults": 10, "NextToken": token})
		lengths := []int{len(seen), len(more)}
		seen = append(seen, more...)
		slices.Sort(seen)
		return all(
			err, errRest,
			equal(lengths, []int{10, 2}), equal(seen, made), equal(rest.text("NextToken"), ""),
		)
	})
	report.check("disks that nobody uses are deleted", func() error {
		for _, disk := range made {
			if err := c.deleteWhenReady(disk); err != nil {
				return err
			}
		}
		return nil
	})
}
