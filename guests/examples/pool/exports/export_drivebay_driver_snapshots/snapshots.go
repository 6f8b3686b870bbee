// Package export_drivebay_driver_snapshots keeps the content that volumes had.
package export_drivebay_driver_snapshots

import (
	snapshots "backend/bindings/drivebay_driver_snapshots"
	contract "backend/bindings/drivebay_driver_types"
	"backend/host"
	"backend/volumes"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// CreateSnapshot cuts a snapshot, or finds the one that an earlier try cut.
func CreateSnapshot(request snapshots.CreateRequest) host.Result[contract.Snapshot] {
	return answer(func(pool host.Directory) (volumes.Snapshot, error) {
		return volumes.Cut(pool, request.Name, request.SourceVolumeId)
	})
}

// GetSnapshot is one that is whole.
func GetSnapshot(id string) host.Result[contract.Snapshot] {
	return answer(func(pool host.Directory) (volumes.Snapshot, error) {
		return volumes.Find(pool, id)
	})
}

// DeleteSnapshot removes a snapshot; one that is not there is success.
func DeleteSnapshot(id string) host.Done {
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return host.Finish(err)
	}
	return host.Finish(volumes.Forget(pool, id))
}

func answer(ask func(host.Directory) (volumes.Snapshot, error)) host.Result[contract.Snapshot] {
	pool, err := host.OpenDirectory(volumes.PoolName)
	if err != nil {
		return host.Answer(contract.Snapshot{}, err)
	}
	found, err := ask(pool)
	return host.Answer(contract.Snapshot{
		Id: found.ID, SourceVolumeId: found.Volume, CreatedAtSeconds: found.CutAt, ReadyToUse: true,
		GroupId: wit.None[string](),
	}, err)
}
