// {{name}}, a backend of Drivebay. What the host calls is in exports/, a package for each interface of the contract.
package main

import _ "backend/bindings/wit_exports"

// The host calls the exports, and nobody this.
func main() {}
