package host

// CopyTree copies a directory with all that is in it, whole or not at all.
func (directory Directory) CopyTree(source, to string) error {
	return Failed(directory.handle.CopyTree(source, to))
}

// CreateFile makes a file that is not there yet.
func (directory Directory) CreateFile(path string, content []byte) error {
	return Failed(directory.handle.CreateFile(path, content))
}

// ReadFile is what lies in a small file.
func (directory Directory) ReadFile(path string) ([]byte, error) {
	return Answered(directory.handle.ReadFile(path))
}

// Modified is when an entry was changed, in seconds since 1970.
func (directory Directory) Modified(path string) (uint64, error) {
	status, err := Answered(directory.handle.Stat(path))
	return status.MtimeSeconds, err
}
