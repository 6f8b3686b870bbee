// Package export_drivebay_driver_controller has volumes come and go. Each call gets a fresh instance, so that
// nothing is kept here; what becomes of a volume is in package volumes, with tests.
package export_drivebay_driver_controller

import (
	contract "backend/bindings/drivebay_driver_types"
	"backend/condition"
	"backend/host"
	"backend/volumes"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// CreateVolume makes a volume, or finds the one that an earlier try made.
func CreateVolume(request contract.CreateRequest) host.Result[contract.VolumeInfo] {
	return host.Answer(create(request))
}

func create(request contract.CreateRequest) (info contract.VolumeInfo, err error) {
	if err := refuseBlock(request.Capabilities); err != nil {
		return info, err
	}
	mode, err := volumes.Mode(parameter(request.Parameters, "mode", "0755"))
	if err != nil {
		return info, err
	}
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return info, err
	}
	id, err := volumes.Make(pool, request.Name, mode, request.SourceSnapshotId.SomeOr(""))
	if err != nil {
		return info, err
	}
	host.Log("volume " + id + " is there")
	return infoOf(pool, id)
}

// DeleteVolume removes a volume; one that is not there is success.
func DeleteVolume(id string) host.Done {
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return host.Finish(err)
	}
	return host.Finish(volumes.Remove(pool, id))
}

// ValidateVolume says whether a volume can be used so.
func ValidateVolume(volume contract.Volume, capabilities []contract.VolumeCapability) host.Done {
	if _, err := find(volume.Id); err != nil {
		return host.Finish(err)
	}
	return host.Finish(refuseBlock(capabilities))
}

// GetVolume is a volume as it is now.
func GetVolume(id string) host.Result[contract.VolumeInfo] {
	return host.Answer(find(id))
}

func find(id string) (info contract.VolumeInfo, err error) {
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return info, err
	}
	if err := volumes.Require(pool, id); err != nil {
		return info, err
	}
	return infoOf(pool, id)
}

// A directory has no size of its own: Kubernetes takes 0 for what the claim asked for.
func infoOf(pool host.Directory, id string) (contract.VolumeInfo, error) {
	source := wit.None[contract.VolumeSource]()
	snapshot, err := volumes.Origin(pool, "v."+id)
	if snapshot != "" {
		source = wit.Some(contract.MakeVolumeSourceSnapshot(snapshot))
	}
	return contract.VolumeInfo{Id: id, Source: source}, err
}

func refuseBlock(capabilities []contract.VolumeCapability) error {
	for _, capability := range capabilities {
		if capability.Kind.Tag() == contract.AccessTypeBlock {
			return condition.Unsupported.Errorf("a volume is a directory and cannot be a block device")
		}
	}
	return nil
}

func parameter(parameters []wit.Tuple2[string, string], name, otherwise string) string {
	for _, given := range parameters {
		if given.F0 == name {
			return given.F1
		}
	}
	return otherwise
}
