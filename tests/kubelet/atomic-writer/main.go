// Command atomic-writer does to a directory what kubelet does to that of a mounted ConfigMap, by kubelet's own code,
// linked unmodified.
//
// It reads one JSON object a line, `{"directory": "/d", "payloads": [{"nfs.wasm": "/file/with/the/content"}]}`, makes
// the directory hold each payload, one right after the other, and answers each line with one: `ok`, or what failed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"
	volumeutil "k8s.io/kubernetes/pkg/volume/util"
)

// mode is a ConfigMap volume's defaultMode.
const mode = 0o644

// longestLine has room for a thousand payloads.
const longestLine = 16 << 20

// update is what is to be done to one directory: files by name, each a path to its content.
type update struct {
	Directory string              `json:"directory"`
	Payloads  []map[string]string `json:"payloads"`
}

func main() {
	quiet()
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// quiet keeps klog's lines about each step of each write to itself.
func quiet() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
}

func serve(lines io.Reader, answers io.Writer) error {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, longestLine)
	for scanner.Scan() {
		answer := "ok"
		if err := carryOut(scanner.Bytes()); err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(answers, answer); err != nil {
			return err
		}
	}
	return scanner.Err()
}

func carryOut(line []byte) error {
	var wanted update
	if err := json.Unmarshal(line, &wanted); err != nil {
		return err
	}
	// All is read before, so that nothing holds up the writes that are to come one right after the other.
	payloads := make([]map[string]volumeutil.FileProjection, 0, len(wanted.Payloads))
	for _, files := range wanted.Payloads {
		payload, err := projected(files)
		if err != nil {
			return err
		}
		payloads = append(payloads, payload)
	}
	writer, err := volumeutil.NewAtomicWriter(wanted.Directory, "pod web/drivebay volume components")
	if err != nil {
		return err
	}
	for _, payload := range payloads {
		if err := writer.Write(payload, nil); err != nil {
			return err
		}
	}
	return nil
}

func projected(files map[string]string) (map[string]volumeutil.FileProjection, error) {
	payload := map[string]volumeutil.FileProjection{}
	for name, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		payload[name] = volumeutil.FileProjection{Data: content, Mode: mode}
	}
	return payload, nil
}
