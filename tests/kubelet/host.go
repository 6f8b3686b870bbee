package kubelet

import (
	"context"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"
)

// nodeHost is what kubelet hands its volume plugins: kubelet's own directory layout over the real kernel mounter.
// The embedded interface is nil: a plugin that asks for more than FlexVolume does today panics, which is news.
type nodeHost struct {
	volume.VolumeHost
	dir      string
	node     types.NodeName
	client   kubernetes.Interface
	mounter  mount.Interface
	recorder record.EventRecorder
}

func (h *nodeHost) GetPluginDir(plugin string) string { return filepath.Join(h.dir, "plugins", plugin) }
func (h *nodeHost) GetPodsDir() string                { return filepath.Join(h.dir, "pods") }

func (h *nodeHost) GetPodVolumeDir(pod types.UID, plugin, volume string) string {
	return filepath.Join(h.GetPodsDir(), string(pod), "volumes", plugin, volume)
}

func (h *nodeHost) GetPodPluginDir(pod types.UID, plugin string) string {
	return filepath.Join(h.GetPodsDir(), string(pod), "plugins", plugin)
}

func (h *nodeHost) GetKubeClient() kubernetes.Interface       { return h.client }
func (h *nodeHost) GetMounter() mount.Interface               { return h.mounter }
func (h *nodeHost) GetSubpather() subpath.Interface           { return subpath.New(h.mounter) }
func (h *nodeHost) GetNodeName() types.NodeName               { return h.node }
func (h *nodeHost) GetNodeLabels() (map[string]string, error) { return nil, nil }
func (h *nodeHost) GetEventRecorder() record.EventRecorder    { return h.recorder }

func (h *nodeHost) GetAttachedVolumesFromNodeStatus() (map[v1.UniqueVolumeName]string, error) {
	node, err := h.client.CoreV1().Nodes().Get(context.Background(), string(h.node), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	attached := map[v1.UniqueVolumeName]string{}
	for _, volume := range node.Status.VolumesAttached {
		attached[volume.Name] = volume.DevicePath
	}
	return attached, nil
}

// controllerHost is what kube-controller-manager hands the same plugins. Its directories are empty strings, which a
// driver sees: the device mount path of expandvolume is then relative, `vendor/driver/mounts/volume`.
type controllerHost struct {
	volume.VolumeHost
	client   kubernetes.Interface
	recorder record.EventRecorder
}

func (h *controllerHost) GetPluginDir(string) string                       { return "" }
func (h *controllerHost) GetPodVolumeDir(types.UID, string, string) string { return "" }
func (h *controllerHost) GetKubeClient() kubernetes.Interface              { return h.client }
func (h *controllerHost) GetMounter() mount.Interface                      { return nil }
func (h *controllerHost) GetNodeName() types.NodeName                      { return "" }
func (h *controllerHost) GetEventRecorder() record.EventRecorder           { return h.recorder }
