package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// For connecting and for reading. Some of the SDKs' own limits are a second, which a busy machine passes.
const timeout = 20 * time.Second

// access is what a client signs with; a token goes with temporary keys alone.
type access struct {
	keyID, secret, token string
}

// emulator is where the emulator is, as it said itself when it was ready.
type emulator struct {
	host, ca, control       string
	region, zone            string
	instance, otherInstance string
	access                  access
}

func newEmulator() (*emulator, error) {
	var ready map[string]string
	if err := json.Unmarshal([]byte(os.Getenv("ECS_EMULATOR")), &ready); err != nil {
		return nil, fmt.Errorf("ECS_EMULATOR: %w", err)
	}
	ca, err := os.ReadFile(ready["ca"])
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(ready["secret_file"])
	if err != nil {
		return nil, err
	}
	return &emulator{
		host:          strings.TrimPrefix(ready["ecs"], "https://"),
		ca:            string(ca),
		control:       ready["control"],
		region:        ready["region"],
		zone:          ready["zone"],
		instance:      ready["instance"],
		otherInstance: os.Getenv("ECS_OTHER_INSTANCE"),
		access:        access{keyID: ready["access_key_id"], secret: strings.TrimSpace(string(secret))},
	}, nil
}

// fault orders a fault.
func (e *emulator) fault(order map[string]any) error {
	return e.ask("POST", "/faults", order, nil)
}

// clearFaults takes back what was ordered and has not struck.
func (e *emulator) clearFaults() error {
	return e.ask("DELETE", "/faults", nil, nil)
}

// set changes how the emulated cloud behaves.
func (e *emulator) set(name string, value any) error {
	return e.ask("POST", "/settings", map[string]any{name: value}, nil)
}

// step ends all that is under way, once; for when the pace is held.
func (e *emulator) step() error {
	return e.ask("POST", "/step", nil, nil)
}

// request is one that was read, with its signature's version.
type request struct {
	Action, Method, Signature string
	Status                    int
}

// requests answers every request that was read so far.
func (e *emulator) requests() ([]request, error) {
	var log struct{ Last []request }
	err := e.ask("GET", "/requests", nil, &log)
	return log.Last, err
}

// temporaryKey is a key as STS issues them, without the way through STS.
func (e *emulator) temporaryKey(seconds int) (access, error) {
	var key struct{ AccessKeyId, AccessKeySecret, SecurityToken string }
	err := e.ask("POST", "/credentials", map[string]any{"seconds": seconds}, &key)
	return access{key.AccessKeyId, key.AccessKeySecret, key.SecurityToken}, err
}

func (e *emulator) ask(method, path string, content, answer any) error {
	var body io.Reader
	if content != nil {
		text, err := json.Marshal(content)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, e.control+path, body)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: timeout}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s of the emulator's control failed: %s", method, path, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
