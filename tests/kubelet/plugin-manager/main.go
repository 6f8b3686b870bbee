// Command plugin-manager is the part of kubelet that finds CSI drivers: its plugin manager and its handler of CSI
// drivers, both by kubelet's own code, linked unmodified. Only the API server is a stand-in. Starting the program again
// on the same directory is a kubelet restart.
//
// It reads one command a line and answers each with one line of JSON:
//
//	state          what was registered and taken away, the CSINode object's drivers, and what kubelet logged as errors
//	refuse WHY     let registrations fail with these words from now on
//	accept         let them be
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	registerapi "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
	"k8s.io/kubernetes/pkg/kubelet/config"
	"k8s.io/kubernetes/pkg/kubelet/pluginmanager"
	"k8s.io/kubernetes/pkg/kubelet/pluginmanager/cache"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/csi"
)

const nodeName = "node-1"

var directory = flag.String("directory", "", "kubelet's plugins_registry")

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if *directory == "" {
		return errors.New("-directory says where drivers register")
	}
	logged := captureErrors()
	client := fake.NewClientset(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName, UID: "1"}})
	for _, plugin := range csi.ProbeVolumePlugins() {
		if err := plugin.Init(host{client: client}); err != nil {
			return err
		}
	}
	recorded := &recorder{PluginHandler: csi.PluginHandler}
	manager := pluginmanager.NewPluginManager(*directory, record.NewFakeRecorder(100))
	manager.AddHandler(registerapi.CSIPlugin, recorded)
	ready := config.NewSourcesReady(func(sets.Set[string]) bool { return true })
	go manager.Run(context.Background(), ready, make(chan struct{}))
	return answer(os.Stdin, os.Stdout, func(command string) (any, error) {
		word, rest, _ := strings.Cut(command, " ")
		switch word {
		case "state":
			drivers, err := drivers(client)
			return state{Events: recorded.list(), Drivers: drivers, Errors: logged.list()}, err
		case "refuse":
			recorded.refuse(rest)
		case "accept":
			recorded.refuse("")
		default:
			return nil, fmt.Errorf("no command %q", word)
		}
		return "ok", nil
	})
}

func answer(lines io.Reader, answers io.Writer, carryOut func(string) (any, error)) error {
	scanner := bufio.NewScanner(lines)
	encoder := json.NewEncoder(answers)
	for scanner.Scan() {
		said, err := carryOut(scanner.Text())
		if err != nil {
			return err
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
	return scanner.Err()
}

// state is what a test looks at.
type state struct {
	Events  []event  `json:"events"`
	Drivers []driver `json:"drivers"`
	Errors  []string `json:"errors"`
}

// event is one call of kubelet's handler.
type event struct {
	What     string `json:"what"`
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	Error    string `json:"error"`
}

// driver is one entry of the CSINode object.
type driver struct {
	Name  string `json:"name"`
	Node  string `json:"node"`
	Limit *int32 `json:"limit"`
}

func drivers(client kubernetes.Interface) ([]driver, error) {
	found := []driver{}
	object, err := client.StorageV1().CSINodes().Get(context.Background(), nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, one := range object.Spec.Drivers {
		entry := driver{Name: one.Name, Node: one.NodeID}
		if one.Allocatable != nil {
			entry.Limit = one.Allocatable.Count
		}
		found = append(found, entry)
	}
	return found, nil
}

// recorder is kubelet's handler of CSI drivers, which remembers what was asked of it, and fails where it is told to.
type recorder struct {
	cache.PluginHandler
	mutex  sync.Mutex
	events []event
	why    string
}

func (r *recorder) RegisterPlugin(name, endpoint string, versions []string, timeout *time.Duration) error {
	err := r.refusal()
	if err == nil {
		err = r.PluginHandler.RegisterPlugin(name, endpoint, versions, timeout)
	}
	said := event{What: "register", Name: name, Endpoint: endpoint}
	if err != nil {
		said.Error = err.Error()
	}
	r.add(said)
	return err
}

// DeRegisterPlugin is remembered before it is done: who sees what it did can rely on finding it in the list.
func (r *recorder) DeRegisterPlugin(name, endpoint string) {
	r.add(event{What: "deregister", Name: name, Endpoint: endpoint})
	r.PluginHandler.DeRegisterPlugin(name, endpoint)
}

func (r *recorder) refuse(why string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.why = why
}

func (r *recorder) refusal() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.why == "" {
		return nil
	}
	return errors.New(r.why)
}

func (r *recorder) add(said event) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.events = append(r.events, said)
}

func (r *recorder) list() []event {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]event{}, r.events...)
}

// host is all that registering asks of kubelet.
type host struct {
	volume.VolumeHost
	client kubernetes.Interface
}

func (h host) GetKubeClient() kubernetes.Interface { return h.client }
func (h host) GetNodeName() types.NodeName         { return nodeName }

// errorLines are what kubelet logged as errors.
type errorLines struct {
	mutex sync.Mutex
	lines []string
}

func (e *errorLines) Write(line []byte) (int, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.lines = append(e.lines, strings.TrimSpace(string(line)))
	return len(line), nil
}

func (e *errorLines) list() []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return append([]string{}, e.lines...)
}

func captureErrors() *errorLines {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	logged := &errorLines{}
	for _, severity := range []string{"INFO", "WARNING", "FATAL"} {
		klog.SetOutputBySeverity(severity, io.Discard)
	}
	klog.SetOutputBySeverity("ERROR", logged)
	return logged
}
