package main

// tags says what becomes of a disk's tags.
func tags(report *report, c cloud, disk string) {
	subject := fields{"ResourceType": "disk", "ResourceId": []string{disk}}
	listed := func() (map[string]string, error) {
		found, err := c.call("ListTagResources", subject)
		return tagsOf(found.list("TagResources", "TagResource")), err
	}
	report.check("a tag that is added shows in both lists", func() error {
		added := subject.with(fields{"Tag": []fields{{"Key": "k3", "Value": sharp}}})
		if err := c.do("TagResources", added); err != nil {
			return err
		}
		list, err := listed()
		seen, errSeen := c.disk(disk)
		own := tagsOf(seen.list("Tags", "Tag"))
		return all(err, errSeen, equal(list["k3"], sharp), equal(own["k3"], sharp))
	})
	report.check("a tag that is removed is gone, and the others are not", func() error {
		removed := subject.with(fields{"TagKey": []string{"k3", "k2"}})
		if err := c.do("UntagResources", removed); err != nil {
			return err
		}
		list, err := listed()
		return all(err, equal(list, map[string]string{"drivebay.test/volume": sharp}))
	})
	report.check("what does not exist cannot be tagged", func() error {
		unknown := subject.with(fields{"ResourceId": []string{noDisk}, "Tag": []fields{label}})
		return refused("InvalidResourceId.NotFound", 404, c.do("TagResources", unknown))
	})
}

func resizeOnline(report *report, c cloud, disk string) {
	grown := fields{"DiskId": disk, "NewSize": 30, "Type": "online", "ClientToken": "r:30"}
	report.check("an attached disk grows online, without an order that is paid in advance", func() error {
		ordered, err := c.call("ResizeDisk", grown)
		if err != nil {
			return err
		}
		_, err = c.settled(disk, "Size", "30")
		return all(err, equal(ordered.text("OrderId"), ""))
	})
	report.check("a repeated resize with its token is no error", func() error {
		err := c.do("ResizeDisk", grown)
		seen, errSeen := c.disk(disk)
		return all(err, errSeen, equal(seen.number("Size"), 30))
	})
	report.check("a disk never shrinks, nor grows to the size that it has", func() error {
		resize := func(size int) error {
			return c.do("ResizeDisk", fields{"DiskId": disk, "NewSize": size, "Type": "online"})
		}
		return all(
			refused("InvalidDiskSize.TooSmall", 403, resize(20)),
			refused("InvalidDiskSize", 403, resize(30)),
		)
	})
}

func resizeOffline(report *report, c cloud, disk string) {
	grown := fields{"DiskId": disk, "NewSize": 40}
	report.check("a disk that is attached nowhere does not grow online", func() error {
		online := grown.with(fields{"Type": "online"})
		return refused("IncorrectDiskStatus", 403, c.do("ResizeDisk", online))
	})
	report.check("a disk that is attached nowhere grows offline, which needs no word", func() error {
		if err := c.do("ResizeDisk", grown); err != nil {
			return err
		}
		_, err := c.settled(disk, "Size", "40")
		return err
	})
}

func changeKind(report *report, c cloud, disk string) {
	change := func(wanted fields) (answer, error) {
		return c.call("ModifyDiskSpec", fields{"DiskId": disk}.with(wanted))
	}
	refuses := func(code string, status int, wanted fields) error {
		_, err := change(wanted)
		return refused(code, status, err)
	}
	auto := fields{"DiskCategory": "cloud_auto"}
	report.check("what a dry run would do is told by an error, and not done", func() error {
		tried := refuses("DryRunOperation", 400, auto.with(fields{"DryRun": true}))
		seen, err := c.disk(disk)
		return all(tried, err, equal(seen.text("Category"), "cloud_essd"))
	})
	report.check("a performance level that the disk is too small for is refused", func() error {
		return refuses("OperationDenied.PerformanceLevelNotMatch", 403, fields{"PerformanceLevel": "PL3"})
	})
	report.check("a performance level never becomes PL0", func() error {
		return refuses("InvalidPerformanceLevel.TooLow", 403, fields{"PerformanceLevel": "PL0"})
	})
	report.check("a category that no disk can change to is refused", func() error {
		return refuses("InvalidDiskCategory.ValueNotSupported", 400, fields{"DiskCategory": "cloud"})
	})
	report.check("a category changes by a task that ends", func() error {
		changed, err := change(auto)
		if err != nil {
			return err
		}
		task := func() (answer, error) {
			found, err := c.call("DescribeTasks", fields{"TaskIds": changed.text("TaskId")})
			tasks := found.list("TaskSet", "Task")
			if err != nil || len(tasks) == 0 {
				return answer{}, err
			}
			return tasks[0], nil
		}
		ended, err := wait(func(it answer) bool { return it.text("TaskStatus") == "Finished" }, task)
		seen, errSeen := c.disk(disk)
		return all(
			err, errSeen,
			equal(ended.text("TaskAction"), "ModifyDiskSpec"),
			equal(seen.text("Category"), "cloud_auto"),
		)
	})
	report.check("a change to what the disk is already is refused", func() error {
		return refuses("NoChangeInDiskCategoryAndPerformanceLevel", 403, auto)
	})
}

func changeLevel(report *report, c cloud) {
	report.check("a performance level that changes alone has no task", func() error {
		disk, err := c.create(fields{"PerformanceLevel": "PL0"})
		if err := all(err, c.available(disk)); err != nil {
			return err
		}
		wanted := fields{"DiskId": disk, "PerformanceLevel": "PL1"}
		changed, err := c.call("ModifyDiskSpec", wanted)
		_, errSettled := c.settled(disk, "PerformanceLevel", "PL1")
		return all(err, errSettled, equal(changed.text("TaskId"), ""), c.deleteWhenReady(disk))
	})
}
