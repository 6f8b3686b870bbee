package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	_ "unsafe" // for go:linkname

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// gen1 is the first generation, which signs by HMAC-SHA1 and puts everything in the query.
type gen1 struct {
	client  *ecs.Client
	options options
	host    string
}

// The SDK offers no way to set a request's time and nonce; it asks these two, which answer otherwise here.
//
//go:linkname hookGetDate github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth.hookGetDate
var hookGetDate func(func() string) string

//go:linkname hookGetNonce github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth.hookGetNonce
var hookGetNonce func(func() string) string

func newGen1(emulator *emulator, options options) client {
	// Its own default is plain HTTP.
	config := sdk.NewConfig().WithScheme("HTTPS").WithTimeout(timeout)
	config.HttpTransport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted(options.ca)}}
	client, err := ecs.NewClientWithOptions(emulator.region, config, credentialOf(options.access))
	if err != nil {
		panic(err)
	}
	return &gen1{client, options, emulator.host}
}

// trusted are the system's authorities where none is named.
func trusted(ca string) *x509.CertPool {
	if ca == "" {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	return pool
}

func credentialOf(access access) auth.Credential {
	if access.token != "" {
		return credentials.NewStsTokenCredential(access.keyID, access.secret, access.token)
	}
	return credentials.NewAccessKeyCredential(access.keyID, access.secret)
}

func (c *gen1) call(action string, parameters fields) (answer, error) {
	send, known := gen1Actions[action]
	if !known {
		return answer{}, fmt.Errorf("%s is not called here", action)
	}
	hookGetDate, hookGetNonce = instead(c.options.date), instead(c.options.nonce)
	typed, err := send(c, parameters)
	var server *sdkerrors.ServerError
	if errors.As(err, &server) {
		return answer{}, &refusal{server.HttpStatus(), server.ErrorCode(), server.Message(), err}
	}
	if err != nil {
		return answer{}, err
	}
	return read(typed)
}

func instead(text string) func(func() string) string {
	return func(own func() string) string {
		if text != "" {
			return text
		}
		return own()
	}
}

// first makes a call of an action's request and of its method.
func first[Request requests.AcsRequest, Response any](
	create func() Request, send func(*ecs.Client, Request) (Response, error),
) func(*gen1, fields) (any, error) {
	return func(c *gen1, parameters fields) (any, error) {
		request := create()
		request.SetDomain(c.host)
		if err := fill(reflect.ValueOf(request).Elem(), parameters); err != nil {
			return nil, err
		}
		return send(c.client, request)
	}
}

var gen1Actions = map[string]func(*gen1, fields) (any, error){
	"CreateDisk":                    first(ecs.CreateCreateDiskRequest, (*ecs.Client).CreateDisk),
	"AttachDisk":                    first(ecs.CreateAttachDiskRequest, (*ecs.Client).AttachDisk),
	"DetachDisk":                    first(ecs.CreateDetachDiskRequest, (*ecs.Client).DetachDisk),
	"DeleteDisk":                    first(ecs.CreateDeleteDiskRequest, (*ecs.Client).DeleteDisk),
	"ResizeDisk":                    first(ecs.CreateResizeDiskRequest, (*ecs.Client).ResizeDisk),
	"ModifyDiskSpec":                first(ecs.CreateModifyDiskSpecRequest, (*ecs.Client).ModifyDiskSpec),
	"DescribeTasks":                 first(ecs.CreateDescribeTasksRequest, (*ecs.Client).DescribeTasks),
	"DescribeDisks":                 first(ecs.CreateDescribeDisksRequest, (*ecs.Client).DescribeDisks),
	"CreateSnapshot":                first(ecs.CreateCreateSnapshotRequest, (*ecs.Client).CreateSnapshot),
	"DescribeSnapshots":             first(ecs.CreateDescribeSnapshotsRequest, (*ecs.Client).DescribeSnapshots),
	"DeleteSnapshot":                first(ecs.CreateDeleteSnapshotRequest, (*ecs.Client).DeleteSnapshot),
	"CreateSnapshotGroup":           first(ecs.CreateCreateSnapshotGroupRequest, (*ecs.Client).CreateSnapshotGroup),
	"DescribeSnapshotGroups":        first(ecs.CreateDescribeSnapshotGroupsRequest, (*ecs.Client).DescribeSnapshotGroups),
	"DeleteSnapshotGroup":           first(ecs.CreateDeleteSnapshotGroupRequest, (*ecs.Client).DeleteSnapshotGroup),
	"TagResources":                  first(ecs.CreateTagResourcesRequest, (*ecs.Client).TagResources),
	"UntagResources":                first(ecs.CreateUntagResourcesRequest, (*ecs.Client).UntagResources),
	"ListTagResources":              first(ecs.CreateListTagResourcesRequest, (*ecs.Client).ListTagResources),
	"DescribeInstances":             first(ecs.CreateDescribeInstancesRequest, (*ecs.Client).DescribeInstances),
	"DescribeInstanceTypes":         first(ecs.CreateDescribeInstanceTypesRequest, (*ecs.Client).DescribeInstanceTypes),
	"DescribeAvailableResource":     first(ecs.CreateDescribeAvailableResourceRequest, (*ecs.Client).DescribeAvailableResource),
	"DescribeZones":                 first(ecs.CreateDescribeZonesRequest, (*ecs.Client).DescribeZones),
	"DescribeInstanceHistoryEvents": first(ecs.CreateDescribeInstanceHistoryEventsRequest, (*ecs.Client).DescribeInstanceHistoryEvents),
}

// fill sets a request's fields by the names that they have on the wire.
func fill(request reflect.Value, parameters fields) error {
	left := len(parameters)
	for i := range request.NumField() {
		value, wanted := parameters[request.Type().Field(i).Tag.Get("name")]
		if !wanted {
			continue
		}
		left--
		if field := request.Field(i); field.Kind() == reflect.String {
			field.SetString(fmt.Sprint(value))
		} else {
			field.Set(listOf(field.Type().Elem(), value))
		}
	}
	if left > 0 {
		return fmt.Errorf("%s has not all of %v", request.Type(), parameters)
	}
	return nil
}

// listOf is a pointer to a list of strings, or of what has fields of its own.
func listOf(kind reflect.Type, value any) reflect.Value {
	list := reflect.New(kind)
	switch values := value.(type) {
	case []string:
		list.Elem().Set(reflect.ValueOf(values))
	case []fields:
		for _, item := range values {
			filled := reflect.New(kind.Elem()).Elem()
			if err := fill(filled, item); err != nil {
				panic(err)
			}
			list.Elem().Set(reflect.Append(list.Elem(), filled))
		}
	}
	return list
}
