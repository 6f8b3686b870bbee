// Dials a CSI socket as kubelet did up to Kubernetes 1.25: the bare path as address, and a dialler of its own. gRPC
// then sends the path as HTTP/2 authority, unless it is told another.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	options := []grpc.DialOption{grpc.WithInsecure(), grpc.WithContextDialer(dial)}
	if len(os.Args) > 2 {
		options = append(options, grpc.WithAuthority(os.Args[2]))
	}
	connection, err := grpc.Dial(os.Args[1], options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// Probe asks nothing and its answer may be anything: no message of CSI's is needed.
	err = connection.Invoke(ctx, "/csi.v1.Identity/Probe", &emptypb.Empty{}, &emptypb.Empty{})
	fmt.Println(status.Code(err), status.Convert(err).Message())
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}
