// Callers plays what the CSI sidecars do at their start, with the library they are made of: livenessprobe asks
// Probe with three seconds of patience, node-driver-registrar asks for the name with one. With --workers it goes on
// as a sidecar does that has several of them and one connection, until its input ends; every call has to succeed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubernetes-csi/csi-lib-utils/connection"
	"github.com/kubernetes-csi/csi-lib-utils/metrics"
	"github.com/kubernetes-csi/csi-lib-utils/rpc"
)

func main() {
	address := flag.String("csi-address", "/csi/csi.sock", "the driver's socket")
	workers := flag.Int("workers", 0, "how many call without pause, until the input ends")
	flag.Parse()
	err := call(*address)
	if err == nil && *workers > 0 {
		err = work(*address, *workers)
	}
	if err != nil {
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

func work(address string, workers int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var lost, calls atomic.Int64
	reconnect := connection.OnConnectionLoss(func(context.Context) bool {
		lost.Add(1)
		return true
	})
	conn, err := connection.Connect(ctx, address, metrics.NewCSIMetricsManager(""), reconnect)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	var isOver atomic.Bool
	failures := make([]error, workers)
	var working sync.WaitGroup
	for worker := range workers {
		working.Go(func() {
			for !isOver.Load() && failures[worker] == nil {
				_, failures[worker] = rpc.GetDriverName(ctx, conn)
				calls.Add(1)
			}
		})
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	isOver.Store(true)
	working.Wait()
	fmt.Println("calls", calls.Load())
	fmt.Println("connections lost", lost.Load())
	return errors.Join(append(failures, err)...)
}
