// Callers plays what the CSI sidecars do at their start, with the library they are made of: livenessprobe asks
// Probe with three seconds of patience, node-driver-registrar asks for the name with one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/kubernetes-csi/csi-lib-utils/connection"
	"github.com/kubernetes-csi/csi-lib-utils/metrics"
	"github.com/kubernetes-csi/csi-lib-utils/rpc"
)

func main() {
	address := flag.String("csi-address", "/csi/csi.sock", "the driver's socket")
	flag.Parse()
	if err := call(*address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := connection.Connect(ctx, address, metrics.NewCSIMetricsManager(""))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()

	// node-driver-registrar
	short, cancelShort := context.WithTimeout(ctx, time.Second)
	defer cancelShort()
	name, err := rpc.GetDriverName(short, conn)
	if err != nil {
		return fmt.Errorf("GetPluginInfo: %w", err)
	}
	fmt.Println("name", name)

	// livenessprobe
	probing, cancelProbing := context.WithTimeout(ctx, 3*time.Second)
	defer cancelProbing()
	ready, err := rpc.Probe(probing, conn)
	if err != nil {
		return fmt.Errorf("Probe: %w", err)
	}
	fmt.Println("ready", ready)

	// external-provisioner, external-attacher, external-resizer, external-snapshotter
	plugin, err := rpc.GetPluginCapabilities(ctx, conn)
	if err != nil {
		return fmt.Errorf("GetPluginCapabilities: %w", err)
	}
	fmt.Println("plugin capabilities", len(plugin))
	controller, err := rpc.GetControllerCapabilities(ctx, conn)
	if err != nil {
		return fmt.Errorf("ControllerGetCapabilities: %w", err)
	}
	fmt.Println("controller capabilities", len(controller))
	return nil
}
