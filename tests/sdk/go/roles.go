package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alibabacloud-go/tea/tea"
	"github.com/aliyun/credentials-go/credentials"
)

const (
	role     = "acs:ram::1135115445850001:role/drivebay"
	provider = "acs:ram::1135115445850001:oidc-provider/cluster"
)

// roles are the SDK's own ways to temporary keys: a pod's token at STS, and an instance's role.
//
// They take the emulator's CA from the environment: the package that asks STS has no setting for it. The role's address
// is fixed in the SDK, so the emulator has to be at it.
func roles(report *report, emulator *emulator) error {
	directory, err := os.MkdirTemp("", "drivebay-sdk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	podsToken(report, emulator, filepath.Join(directory, "token"))
	instancesRole(report, emulator)
	return nil
}

func podsToken(report *report, emulator *emulator, file string) {
	good := func() (credentials.Credential, error) { return askSTS(emulator, file, "a.pod's.token") }
	report.check("STS gives a key for a pod's token", func() error {
		return all(emulator.set("oidc_token", "a.pod's.token"), gives(good))
	})
	report.check("the SDK asks STS by POST, with no signature", func() error {
		asked, err := last(emulator)
		return all(err, equal(asked, request{"AssumeRoleWithOIDC", "POST", "none", 200}))
	})
	report.check("a key from STS signs requests to ECS", func() error {
		return used(emulator, good)
	})
	report.check("STS gives no key for another token", func() error {
		return givesNone("AuthenticationFail", func() (credentials.Credential, error) {
			return askSTS(emulator, file, "another.token")
		})
	})
}

// askSTS is a credential that exchanges this token for a key once it is needed.
func askSTS(emulator *emulator, file, token string) (credentials.Credential, error) {
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return nil, err
	}
	return credentials.NewCredential(&credentials.Config{
		Type:              tea.String("oidc_role_arn"),
		RoleArn:           tea.String(role),
		OIDCProviderArn:   tea.String(provider),
		OIDCTokenFilePath: tea.String(file),
		RoleSessionName:   tea.String("drivebay"),
		STSEndpoint:       tea.String(emulator.host),
		ConnectTimeout:    tea.Int(int(timeout.Milliseconds())),
		Timeout:           tea.Int(int(timeout.Milliseconds())),
	})
}

func instancesRole(report *report, emulator *emulator) {
	report.check("the metadata service gives the key of the instance's role, with a token only", func() error {
		return gives(ownRole)
	})
	report.check("a key of the instance's role signs requests to ECS", func() error {
		return used(emulator, ownRole)
	})
	report.check("an instance without a role has no key", func() error {
		return all(emulator.set("role", ""), givesNone("404", ownRole))
	})
}

// ownRole is the instance's; the older way without a token is not tried.
func ownRole() (credentials.Credential, error) {
	return credentials.NewCredential(&credentials.Config{
		Type:           tea.String("ecs_ram_role"),
		DisableIMDSv1:  tea.Bool(true),
		ConnectTimeout: tea.Int(int(timeout.Milliseconds())),
		Timeout:        tea.Int(int(timeout.Milliseconds())),
	})
}

type getting func() (credentials.Credential, error)

func gives(get getting) error {
	credential, err := get()
	if err != nil {
		return err
	}
	key, err := credential.GetCredential()
	if err != nil {
		return err
	}
	for _, part := range []*string{key.AccessKeyId, key.AccessKeySecret, key.SecurityToken} {
		if tea.StringValue(part) == "" {
			return fmt.Errorf("the key lacks a part: %v", key)
		}
	}
	return nil
}

func givesNone(reason string, get getting) error {
	err := gives(get)
	if err == nil {
		return fmt.Errorf("expected no key, got one")
	}
	return holds(strings.Contains(err.Error(), reason), err)
}

// used lists disks with a credential; the last request is then one with a security token.
func used(emulator *emulator, get getting) error {
	credential, err := get()
	if err != nil {
		return err
	}
	if _, err := withCredential(emulator, credential).call("DescribeDisks", fields{}); err != nil {
		return err
	}
	asked, err := last(emulator)
	return all(err, equal(asked.Status, 200))
}

func last(emulator *emulator) (request, error) {
	requests, err := emulator.requests()
	if err != nil || len(requests) == 0 {
		return request{}, err
	}
	return requests[len(requests)-1], nil
}
