package host

import (
	"backend/bindings/drivebay_driver_files"
	"backend/bindings/drivebay_driver_mounts"
)

// Directory is one that the operator granted, with errors that are errors.
type Directory struct {
	handle *drivebay_driver_files.Directory
}

// OpenDirectory opens the directory that the operator's file grants under that name.
func OpenDirectory(name string) (Directory, error) {
	handle, err := Answered(drivebay_driver_mounts.OpenDirectory(name))
	return Directory{handle}, err
}

// Mkdir makes a directory, unless it is there.
func (directory Directory) Mkdir(path string, mode uint32) error {
	return Failed(directory.handle.Mkdir(path, mode))
}

// Stat says what an entry is.
func (directory Directory) Stat(path string) (kind string, err error) {
	status, err := Answered(directory.handle.Stat(path))
	return status.Kind, err
}

// RemoveTree removes an entry with all that is in it; one that is not there is success.
func (directory Directory) RemoveTree(path string) error {
	return Failed(directory.handle.RemoveTree(path))
}

// BindTo makes what lies at path appear at the target of a volume.
func (directory Directory) BindTo(target *drivebay_driver_mounts.Target, path string) error {
	return Failed(target.Bind(directory.handle, path))
}
