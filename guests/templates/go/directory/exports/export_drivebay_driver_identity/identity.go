// Package export_drivebay_driver_identity says who this backend is, and which parameters it understands.
package export_drivebay_driver_identity

import (
	identity "backend/bindings/drivebay_driver_identity"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Describe is called when the component is compiled, and may ask the host for nothing.
func Describe() identity.Description {
	return identity.Description{
		Name:    "{{name}}",
		Version: "0.1.0",
		Summary: "directories of a pool",
		Parameters: []identity.Parameter{{
			Name:        "mode",
			Scope:       "storage-class",
			Default:     wit.Some("0755"),
			Description: "Permission bits of a volume's directory, in octal.",
		}},
	}
}
