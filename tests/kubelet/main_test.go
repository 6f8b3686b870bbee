// Package kubelet drives a FlexVolume driver with Kubernetes' own code, linked unmodified: kubelet's plugin prober and
// volume manager on the node, kube-controller-manager's operations beside it, the real kernel beneath. Only the API
// server is a stand-in.
//
// Build it with `go test -c`; the result is one static binary that needs root, a plugin directory as `drivebay install`
// makes it, and a scratch directory for kubelet.
package kubelet

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/exec"
	utilstrings "k8s.io/utils/strings"
)

var (
	pluginDir  = flag.String("plugin-dir", "", "kubelet's --volume-plugin-dir, holding the driver to test")
	kubeletDir = flag.String("kubelet-dir", "", "scratch directory to play /var/lib/kubelet")
	driver     = flag.String("driver", "", "driver as a volume names it: vendor/driver")
	options    = flag.String("options", "", "the volume's options: key=value,key=value")
	fsType     = flag.String("fs-type", "", "the volume's fsType")
	readOnly   = flag.Bool("read-only", false, "the volume is read-only: writes must fail with EROFS")
	scenario   = flag.String("scenario", "all", strings.Join(scenarios, ", ")+", several separated by commas, or all")
	nodeName   = flag.String("node-name", "node-1", "the node's name as attach and detach get it")
	patience   = flag.Duration("patience", time.Minute, "how long kubelet may take over each step")
	verbose    = flag.Bool("kubelet-log", false, "print all of kubelet's log, not only warnings and errors")
)

// kubeletLog keeps every line kubelet wrote, so that scenarios can ask what leaked into it.
var kubeletLog log

func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	captureLog()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-interrupted
		release(*kubeletDir)
		os.Exit(1)
	}()
	os.Exit(m.Run())
}

var scenarios = []string{"probe", "mount", "attach", "restart", "secret", "expand"}

// prepare checks what was asked for. Nothing here may pass by default: a run that tested nothing has to fail.
func prepare() error {
	if *pluginDir == "" || *kubeletDir == "" || *driver == "" {
		return errors.New("-plugin-dir, -kubelet-dir and -driver say what to test")
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root: mounts")
	}
	if *scenario != "all" {
		names := strings.Split(*scenario, ",")
		for _, name := range names {
			if !slices.Contains(scenarios, name) {
				return fmt.Errorf("-scenario: no scenario %q, only %s and all", name, strings.Join(scenarios, ", "))
			}
		}
		_ = flag.Set("test.run", "^Test(?i:"+strings.Join(names, "|")+")$")
	}
	_ = flag.Set("test.v", "true")
	if err := os.MkdirAll(*kubeletDir, 0o755); err != nil {
		return err
	}
	var err error
	if *pluginDir, err = filepath.Abs(*pluginDir); err != nil {
		return err
	}
	if *kubeletDir, err = filepath.Abs(*kubeletDir); err != nil {
		return err
	}
	// The kernel lists mounts by their real path.
	*kubeletDir, err = filepath.EvalSymlinks(*kubeletDir)
	return err
}

// setup is what every scenario starts from. Its record and its API objects belong to one scenario.
type setup struct {
	*cluster
	pluginDir, kubeletDir string
	driver                string
	patience              time.Duration
	source                source
	calls                 *callOuts
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{
		cluster:    newCluster(types.NodeName(*nodeName)),
		pluginDir:  *pluginDir,
		kubeletDir: *kubeletDir,
		driver:     *driver,
		patience:   *patience,
		source:     source{driver: *driver, fsType: *fsType, options: parseOptions(t, *options)},
		calls:      &callOuts{Interface: exec.New(), executable: executable()},
	}
	t.Cleanup(func() { s.cleanUp(t) })
	return s
}

// cleanUp judges what the scenario left behind, then removes it: the next scenario may want the same volume.
func (s *setup) cleanUp(t *testing.T) {
	for _, why := range s.calls.broken() {
		t.Errorf("the driver broke a promise: %s", why)
	}
	if left := release(s.kubeletDir); len(left) > 0 {
		t.Errorf("left mounted: %v", left)
	}
	for _, volume := range s.calls.attached() {
		t.Errorf("left attached: %s", volume)
		_, _ = s.calls.as("clean-up").Command(executable(), "detach", volume, string(s.cluster.node)).CombinedOutput()
	}
	removeEmpty(filepath.Join(s.kubeletDir, "pods"))
	removeEmpty(filepath.Join(s.kubeletDir, "plugins"))
}

// executable is where Kubernetes expects the driver: the last word of its name, in a directory named by all of it.
func executable() string {
	return filepath.Join(*pluginDir, utilstrings.EscapeQualifiedName(*driver), filepath.Base(*driver))
}

func parseOptions(t *testing.T, list string) map[string]string {
	t.Helper()
	parsed := map[string]string{}
	for _, option := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		key, value, found := strings.Cut(option, "=")
		if !found {
			t.Fatalf("-options: %q is not key=value", option)
		}
		parsed[key] = value
	}
	return parsed
}

// log prints kubelet's warnings and errors and remembers everything.
type log struct {
	mutex sync.Mutex
	all   strings.Builder
}

func (l *log) Write(line []byte) (int, error) {
	if *verbose || line[0] == 'W' || line[0] == 'E' {
		fmt.Printf("    log: %s", line)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.all.Write(line)
}

func (l *log) holds(text string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Contains(l.all.String(), text)
}

func captureLog() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	_ = flags.Set("v", "4")
	// klog writes an error to the outputs of all lower severities too: the lowest one has everything once.
	klog.SetOutputBySeverity("INFO", &kubeletLog)
	for _, severity := range []string{"WARNING", "ERROR", "FATAL"} {
		klog.SetOutputBySeverity(severity, io.Discard)
	}
}
