package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	ecs "github.com/alibabacloud-go/ecs-20140526/v7/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/aliyun/credentials-go/credentials"
)

// gen2 is the second generation: signatures of version 3, or the older HMAC-SHA1 with everything in the query, which
// the SDK calls v2 and the wire 1.0.
type gen2 struct {
	client *ecs.Client
	region string
}

func newGen2(emulator *emulator, options options) client {
	config := configOf(emulator, options)
	config.GlobalParameters = &openapiutil.GlobalParameters{
		Headers: present(map[string]string{"x-acs-date": options.date, "x-acs-signature-nonce": options.nonce}),
	}
	return connect(emulator, config)
}

func newGen2SigningAsGen1(emulator *emulator, options options) client {
	config := configOf(emulator, options)
	config.SignatureAlgorithm = dara.String("v2")
	config.GlobalParameters = &openapiutil.GlobalParameters{
		Queries: present(map[string]string{"Timestamp": options.date, "SignatureNonce": options.nonce}),
	}
	return connect(emulator, config)
}

func configOf(emulator *emulator, options options) *openapiutil.Config {
	milliseconds := int(timeout.Milliseconds()) + number(options.ca)
	config := &openapiutil.Config{
		Endpoint:       dara.String(emulator.host),
		Protocol:       dara.String("https"),
		RegionId:       dara.String(emulator.region),
		ConnectTimeout: dara.Int(milliseconds),
		ReadTimeout:    dara.Int(milliseconds),
	}
	if options.access.keyID != "" {
		config.AccessKeyId = dara.String(options.access.keyID)
		config.AccessKeySecret = dara.String(options.access.secret)
	}
	if options.access.token != "" {
		config.SecurityToken = dara.String(options.access.token)
	}
	if options.ca != "" {
		config.Ca = dara.String(options.ca)
	}
	return config
}

var authorities []string

// number tells authorities apart in a client's time limit: for each host and limit the SDK keeps the connection that it
// made first, and with it whom that trusted.
func number(ca string) int {
	if !slices.Contains(authorities, ca) {
		authorities = append(authorities, ca)
	}
	return slices.Index(authorities, ca)
}

// withCredential is a client that gets its keys elsewhere.
func withCredential(emulator *emulator, credential credentials.Credential) client {
	config := configOf(emulator, options{ca: emulator.ca})
	config.Credential = credential
	return connect(emulator, config)
}

func connect(emulator *emulator, config *openapiutil.Config) *gen2 {
	client, err := ecs.NewClient(config)
	if err != nil {
		panic(err)
	}
	return &gen2{client, emulator.region}
}

func present(texts map[string]string) map[string]*string {
	present := map[string]*string{}
	for name, text := range texts {
		if text != "" {
			present[name] = dara.String(text)
		}
	}
	return present
}

func (c *gen2) call(action string, parameters fields) (answer, error) {
	send, known := gen2Actions[action]
	if !known {
		return answer{}, fmt.Errorf("%s is not called here", action)
	}
	typed, err := send(c, parameters)
	var sdk *tea.SDKError
	if errors.As(err, &sdk) && tea.IntValue(sdk.StatusCode) != 0 {
		return answer{}, &refusal{tea.IntValue(sdk.StatusCode), tea.StringValue(sdk.Code), tea.StringValue(sdk.Message), err}
	}
	if err != nil {
		return answer{}, err
	}
	whole, err := read(typed)
	return whole.at("body"), err
}

// second makes a call of an action's method. Its request has a region only where the model has one.
func second[Request, Response any](
	send func(*ecs.Client, *Request, *dara.RuntimeOptions) (*Response, error),
) func(*gen2, fields) (any, error) {
	return func(c *gen2, parameters fields) (any, error) {
		text, err := json.Marshal(fields{"RegionId": c.region}.with(parameters))
		if err != nil {
			return nil, err
		}
		request := new(Request)
		if err := json.Unmarshal(text, request); err != nil {
			return nil, err
		}
		return send(c.client, request, &dara.RuntimeOptions{})
	}
}

var gen2Actions = map[string]func(*gen2, fields) (any, error){
	"CreateDisk":                    second((*ecs.Client).CreateDiskWithOptions),
	"AttachDisk":                    second((*ecs.Client).AttachDiskWithOptions),
	"DetachDisk":                    second((*ecs.Client).DetachDiskWithOptions),
	"DeleteDisk":                    second((*ecs.Client).DeleteDiskWithOptions),
	"ResizeDisk":                    second((*ecs.Client).ResizeDiskWithOptions),
	"ModifyDiskSpec":                second((*ecs.Client).ModifyDiskSpecWithOptions),
	"DescribeTasks":                 second((*ecs.Client).DescribeTasksWithOptions),
	"DescribeDisks":                 second((*ecs.Client).DescribeDisksWithOptions),
	"CreateSnapshot":                second((*ecs.Client).CreateSnapshotWithOptions),
	"DescribeSnapshots":             second((*ecs.Client).DescribeSnapshotsWithOptions),
	"DeleteSnapshot":                second((*ecs.Client).DeleteSnapshotWithOptions),
	"CreateSnapshotGroup":           second((*ecs.Client).CreateSnapshotGroupWithOptions),
	"DescribeSnapshotGroups":        second((*ecs.Client).DescribeSnapshotGroupsWithOptions),
	"DeleteSnapshotGroup":           second((*ecs.Client).DeleteSnapshotGroupWithOptions),
	"TagResources":                  second((*ecs.Client).TagResourcesWithOptions),
	"UntagResources":                second((*ecs.Client).UntagResourcesWithOptions),
	"ListTagResources":              second((*ecs.Client).ListTagResourcesWithOptions),
	"DescribeInstances":             second((*ecs.Client).DescribeInstancesWithOptions),
	"DescribeInstanceTypes":         second((*ecs.Client).DescribeInstanceTypesWithOptions),
	"DescribeAvailableResource":     second((*ecs.Client).DescribeAvailableResourceWithOptions),
	"DescribeZones":                 second((*ecs.Client).DescribeZonesWithOptions),
	"DescribeInstanceHistoryEvents": second((*ecs.Client).DescribeInstanceHistoryEventsWithOptions),
}

// throttling is told apart by this generation alone, and only if its errors are left as they are.
func throttling(report *report, emulator *emulator) {
	connected := connect(emulator, configOf(emulator, options{access: emulator.access, ca: emulator.ca}))
	connected.client.Client.DisableSDKError = dara.Bool(true)
	report.check("throttling is the SDK's ThrottlingError, whatever it says", func() error {
		for _, code := range []string{"Throttling", "Throttling.User", "Throttling.Api"} {
			order := map[string]any{"action": "DescribeDisks", "kind": "throttling", "code": code}
			if err := emulator.fault(order); err != nil {
				return err
			}
			_, err := connected.call("DescribeDisks", fields{})
			var throttled *openapi.ThrottlingError
			if !errors.As(err, &throttled) {
				return fmt.Errorf("found %T: %w", err, err)
			}
			if err := equal(dara.StringValue(throttled.GetCode()), code); err != nil {
				return err
			}
		}
		return nil
	})
}
