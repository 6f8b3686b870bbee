package kubelet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/exec"
)

// callOut is one execution of the driver: what was asked, and the whole answer, stdout and stderr mixed as
// Kubernetes reads them.
type callOut struct {
	caller string
	args   []string
	answer []byte
	err    error
	took   time.Duration
}

func (c *callOut) command() string { return c.args[0] }

// options finds the call-out's JSON argument, whose place differs from command to command.
func (c *callOut) options() map[string]string {
	for _, arg := range c.args {
		if strings.HasPrefix(arg, "{") {
			options := map[string]string{}
			if json.Unmarshal([]byte(arg), &options) == nil {
				return options
			}
		}
	}
	return nil
}

func (c *callOut) status() string {
	var answer struct{ Status string }
	_ = json.Unmarshal(c.answer, &answer)
	return answer.Status
}

// capability reads init's answer with the default that Kubernetes fills in.
func (c *callOut) capability(name string) bool {
	answer := struct{ Capabilities map[string]bool }{}
	_ = json.Unmarshal(c.answer, &answer)
	value, said := answer.Capabilities[name]
	return value || !said && name != "supportsMetrics"
}

// broken says which promise of the driver this answer breaks, or nothing. Kubernetes itself forgives some of these;
// a driver that leans on that has its options, secrets included, written to kubelet's log.
func (c *callOut) broken() string {
	var answer map[string]any
	switch err := json.Unmarshal(c.answer, &answer); {
	case c.err != nil:
		return fmt.Sprintf("%s did not exit 0: %v", c.command(), c.err)
	case err != nil:
		return fmt.Sprintf("%s did not answer with one JSON object: %v: %q", c.command(), err, c.answer)
	}
	for key, value := range answer {
		// A null capabilities object is dereferenced by NewFlexVolumePlugin.
		if value == nil {
			return fmt.Sprintf("%s answered null for %s", c.command(), key)
		}
	}
	switch c.status() {
	case "Success", "Failure", "Not supported":
		return ""
	}
	return fmt.Sprintf("%s answered the unknown status %q", c.command(), c.status())
}

// callOuts runs drivers as Kubernetes does and keeps a record of one of them: others in the plugin directory are
// probed too, but are not on trial.
type callOuts struct {
	exec.Interface
	executable string
	running    atomic.Int64
	mutex      sync.Mutex
	all        []*callOut
}

// as gives an executor whose call-outs are recorded under the caller's name.
func (r *callOuts) as(caller string) exec.Interface {
	return &callerExec{Interface: r.Interface, record: r, name: caller}
}

type callerExec struct {
	exec.Interface
	record *callOuts
	name   string
}

func (c *callerExec) Command(path string, args ...string) exec.Cmd {
	cmd := c.Interface.Command(path, args...)
	if path != c.record.executable {
		return cmd
	}
	return &command{Cmd: cmd, record: c.record, call: callOut{caller: c.name, args: args}}
}

type command struct {
	exec.Cmd
	record *callOuts
	call   callOut
}

func (c *command) CombinedOutput() ([]byte, error) {
	c.record.running.Add(1)
	defer c.record.running.Add(-1)
	start := time.Now()
	c.call.answer, c.call.err = c.Cmd.CombinedOutput()
	c.call.took = time.Since(start)
	c.record.add(&c.call)
	return c.call.answer, c.call.err
}

func (r *callOuts) add(call *callOut) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, call)
	fmt.Printf("    %s> '%s'\n    %s< %s (%s)\n", call.caller, strings.Join(call.args, "' '"),
		strings.Repeat(" ", len(call.caller)), strings.TrimSpace(string(call.answer)), call.took.Round(100*time.Microsecond))
}

// of gives the recorded call-outs of one command, oldest first.
func (r *callOuts) of(command string) []*callOut {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var found []*callOut
	for _, call := range r.all {
		if call.command() == command {
			found = append(found, call)
		}
	}
	return found
}

func (r *callOuts) broken() []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var found []string
	for _, call := range r.all {
		if why := call.broken(); why != "" {
			found = append(found, why)
		}
	}
	return found
}

// attached names the volumes that were attached and not detached since.
func (r *callOuts) attached() []string {
	volumes := map[string]bool{}
	for _, call := range r.of("attach") {
		if call.status() != "Success" {
			continue
		}
		volumes[call.options()["kubernetes.io/pvOrVolumeName"]] = true
	}
	for _, call := range r.of("detach") {
		delete(volumes, call.args[1])
	}
	return slices.Sorted(maps.Keys(volumes))
}
