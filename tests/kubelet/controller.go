package kubelet

import (
	"context"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/volume/attachdetach/cache"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/flexvolume"
	"k8s.io/kubernetes/pkg/volume/util"
	"k8s.io/kubernetes/pkg/volume/util/operationexecutor"
	"k8s.io/kubernetes/pkg/volume/util/types"
)

// controller is the storage half of kube-controller-manager. Its operations are the shipped ones; when to run them,
// which takes the real one many informers, is the scenario's decision.
type controller struct {
	*cluster
	plugins    *volume.VolumePluginMgr
	operations operationexecutor.OperationGenerator
	attached   cache.ActualStateOfWorld
	expand     expander
}

// expander is kube-controller-manager's expand controller. It has plugins of its own and no prober, so that FlexVolume
// is none of them: Kubernetes then takes it for one whose backend has nothing to do.
type expander struct {
	plugins    *volume.VolumePluginMgr
	operations operationexecutor.OperationGenerator
}

func startController(t *testing.T, s *setup) *controller {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	events, plugins := newEvents(), &volume.VolumePluginMgr{}
	go events.collect(ctx)
	host := &controllerHost{client: s.cluster, recorder: events.recorder}
	prober := flexvolume.GetDynamicPluginProber(ctx, s.pluginDir, s.calls.as("controller-manager"))
	must(t, plugins.InitPlugins(nil, prober, host))
	expandable := &volume.VolumePluginMgr{}
	must(t, expandable.InitPlugins(nil, nil, host))
	return &controller{
		cluster: s.cluster, plugins: plugins, attached: cache.NewActualStateOfWorld(plugins),
		operations: operationexecutor.NewOperationGenerator(s.cluster, plugins, events.recorder, nil),
		expand: expander{
			plugins:    expandable,
			operations: operationexecutor.NewOperationGenerator(s.cluster, expandable, events.recorder, nil),
		},
	}
}

func (c *controller) uniqueName(t *testing.T, spec *volume.Spec) v1.UniqueVolumeName {
	t.Helper()
	plugin, err := c.plugins.FindAttachablePluginBySpec(spec)
	must(t, err)
	if plugin == nil {
		t.Fatal("the driver is not attachable")
	}
	name, err := util.GetUniqueVolumeNameFromSpec(plugin, spec)
	must(t, err)
	return name
}

// attach attaches the volume to the node and says so in the node's status, which is what kubelet waits for.
func (c *controller) attach(t *testing.T, spec *volume.Spec) {
	t.Helper()
	operation := c.operations.GenerateAttachVolumeFunc(klog.Background(), operationexecutor.VolumeToAttach{
		VolumeName: c.uniqueName(t, spec), VolumeSpec: spec, NodeName: c.node,
	}, c.attached)
	finish(t, operation)
	c.report(t)
}

// isAttached runs the controller's periodic verification, which forgets what the driver no longer finds attached.
func (c *controller) isAttached(t *testing.T, spec *volume.Spec) bool {
	t.Helper()
	name := c.uniqueName(t, spec)
	volumes := []operationexecutor.AttachedVolume{{VolumeName: name, VolumeSpec: spec, NodeName: c.node}}
	operation, err := c.operations.GenerateVolumesAreAttachedFunc(volumes, c.node, c.attached)
	must(t, err)
	finish(t, operation)
	return c.attached.GetAttachState(name, c.node) == cache.AttachStateAttached
}

// detach takes the volume off the node, unless the node's status still has it in use. A nil spec is a controller that
// was restarted after the pod was deleted: it knows no more than the volume's unique name.
func (c *controller) detach(t *testing.T, name v1.UniqueVolumeName, spec *volume.Spec) {
	t.Helper()
	volume := operationexecutor.AttachedVolume{VolumeName: name, VolumeSpec: spec, NodeName: c.node}
	operation, err := c.operations.GenerateDetachVolumeFunc(klog.Background(), volume, true, c.attached)
	must(t, err)
	_ = c.attached.RemoveVolumeFromReportAsAttached(name, c.node)
	finish(t, operation)
	c.report(t)
}

func (c *controller) report(t *testing.T) {
	t.Helper()
	changed, attached := c.attached.GetVolumesToReportAttachedForNode(klog.Background(), c.node)
	if changed {
		must(t, c.updateNode(func(status *v1.NodeStatus) { status.VolumesAttached = attached }))
	}
}

// grow has the claim grow to size, as its owner asking for more makes the expand controller do: it raises the size of the
// PersistentVolume, and whatever has to grow for that is left to kubelet.
func (c *controller) grow(t *testing.T, claim claim, size string) {
	t.Helper()
	request := claim.request(t)
	request.Spec.Resources.Requests[v1.ResourceStorage] = resource.MustParse(size)
	request, err := c.CoreV1().PersistentVolumeClaims(namespace).Update(context.Background(), request, metav1.UpdateOptions{})
	must(t, err)
	plugin, err := c.expand.plugins.FindExpandablePluginBySpec(claim.spec(t))
	must(t, err)
	operation, err := c.expand.operations.GenerateExpandAndRecoverVolumeFunc(request, claim.volume(t), plugin.GetPluginName())
	must(t, err)
	finish(t, operation)
}

func finish(t *testing.T, operation types.GeneratedOperations) {
	t.Helper()
	if _, err := operation.Run(); err != nil {
		t.Fatal(err)
	}
}
