// Package export_drivebay_driver_node is what happens on the node where a pod runs.
package export_drivebay_driver_node

import (
	"strings"

	"backend/bindings/drivebay_driver_mounts"
	node "backend/bindings/drivebay_driver_node"
	contract "backend/bindings/drivebay_driver_types"
	"backend/condition"
	"backend/host"
	"backend/volumes"
)

// GetInfo leaves the node the name that the host has for it, and sets no limit of volumes.
func GetInfo() host.Result[node.NodeInfo] {
	return host.Answer(node.NodeInfo{}, nil)
}

// StageVolume puts the volume at the target. The host has made the target, and binds, remounts and unmounts; it also
// remembers what it mounted. The target is lent for this call, and given back.
func StageVolume(request node.StageRequest, target *drivebay_driver_mounts.Target) host.Done {
	defer target.Drop()
	return host.Finish(stage(request, target))
}

func stage(request node.StageRequest, target *drivebay_driver_mounts.Target) error {
	if err := refuseChoices(request.Kind); err != nil {
		return err
	}
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return err
	}
	if err := volumes.Require(pool, request.Volume.Id); err != nil {
		return err
	}
	return pool.BindTo(target, request.Volume.Id)
}

// GetHealth is how the volume is doing, seen from this node.
func GetHealth(volume contract.Volume) host.Result[node.Health] {
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return host.Answer(node.Health{}, err)
	}
	err = volumes.Require(pool, volume.Id)
	if condition.NotFound.Is(err) {
		return host.Answer(node.MakeHealthInaccessible(err.Error()), nil)
	}
	return host.Answer(node.MakeHealthOk(), err)
}

// What would be ignored is refused.
func refuseChoices(kind contract.AccessType) error {
	if kind.Tag() == contract.AccessTypeBlock {
		return condition.Unsupported.Errorf("a volume is a directory and cannot be a block device")
	}
	wanted := kind.Filesystem()
	if chosen := strings.TrimSpace(wanted.FsType + " " + strings.Join(wanted.MountOptions, " ")); chosen != "" {
		return condition.InvalidArgument.Errorf(
			"%s: a volume is a directory and has what its pool has; write none", chosen)
	}
	return nil
}
