package kubelet

import (
	"context"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/volume"
)

const namespace = "drivebay-test"

// cluster is the API server's contents. It outlives every node and controller started on it.
type cluster struct {
	kubernetes.Interface
	node   types.NodeName
	status sync.Mutex
}

func newCluster(node types.NodeName) *cluster {
	object := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: string(node)}}
	return &cluster{Interface: fake.NewClientset(object), node: node}
}

// updateNode changes the node's status the way kubelet and the attach controller share it.
func (c *cluster) updateNode(change func(*v1.NodeStatus)) error {
	// A real API server refuses a stale update, this one would lose it.
	c.status.Lock()
	defer c.status.Unlock()
	ctx := context.Background()
	node, err := c.CoreV1().Nodes().Get(ctx, string(c.node), metav1.GetOptions{})
	if err != nil {
		return err
	}
	change(&node.Status)
	_, err = c.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

// inUse lists the volumes that the node's status says kubelet uses.
func (c *cluster) inUse(t *testing.T) []v1.UniqueVolumeName {
	t.Helper()
	node, err := c.CoreV1().Nodes().Get(context.Background(), string(c.node), metav1.GetOptions{})
	must(t, err)
	return node.Status.VolumesInUse
}

// source says what volume a scenario wants; it becomes either an inline volume or a PersistentVolume.
type source struct {
	driver   string
	fsType   string
	options  map[string]string
	readOnly bool
	secret   string
}

func (s source) with(key, value string) source {
	options := map[string]string{key: value}
	for k, v := range s.options {
		options[k] = v
	}
	s.options = options
	return s
}

// inline gives a pod whose spec holds the volume itself.
func (s source) inline() *v1.Pod {
	flex := &v1.FlexVolumeSource{Driver: s.driver, FSType: s.fsType, Options: s.options, ReadOnly: s.readOnly}
	if s.secret != "" {
		flex.SecretRef = &v1.LocalObjectReference{Name: s.secret}
	}
	return newPod(v1.VolumeSource{FlexVolume: flex})
}

// claim is a PersistentVolume bound to a claim; pods share it.
type claim struct {
	*cluster
	name     string
	readOnly bool
}

// claim creates the PersistentVolume and its bound claim.
func (s source) claim(t *testing.T, c *cluster, size string) claim {
	t.Helper()
	ctx, id := context.Background(), uuid.NewUUID()
	name := "pv-" + string(id)[:8]
	capacity := v1.ResourceList{v1.ResourceStorage: resource.MustParse(size)}
	modes := []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce}
	// The API server would fill this in.
	mode := v1.PersistentVolumeFilesystem
	flex := &v1.FlexPersistentVolumeSource{Driver: s.driver, FSType: s.fsType, Options: s.options, ReadOnly: s.readOnly}
	if s.secret != "" {
		flex.SecretRef = &v1.SecretReference{Name: s.secret, Namespace: namespace}
	}
	pv := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1.PersistentVolumeSpec{
			Capacity:               capacity,
			AccessModes:            modes,
			VolumeMode:             &mode,
			ClaimRef:               &v1.ObjectReference{Namespace: namespace, Name: name, UID: id},
			PersistentVolumeSource: v1.PersistentVolumeSource{FlexVolume: flex},
		},
	}
	pvc := &v1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: id},
		Spec: v1.PersistentVolumeClaimSpec{
			VolumeName: name, AccessModes: modes, Resources: v1.VolumeResourceRequirements{Requests: capacity},
		},
		Status: v1.PersistentVolumeClaimStatus{Phase: v1.ClaimBound, Capacity: capacity, AccessModes: modes},
	}
	_, err := c.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{})
	must(t, err)
	_, err = c.CoreV1().PersistentVolumeClaims(namespace).Create(ctx, pvc, metav1.CreateOptions{})
	must(t, err)
	return claim{c, name, s.readOnly}
}

func (c claim) pod() *v1.Pod {
	return newPod(v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{
		ClaimName: c.name, ReadOnly: c.readOnly,
	}})
}

func (c claim) volume(t *testing.T) *v1.PersistentVolume {
	t.Helper()
	pv, err := c.CoreV1().PersistentVolumes().Get(context.Background(), c.name, metav1.GetOptions{})
	must(t, err)
	return pv
}

func (c claim) request(t *testing.T) *v1.PersistentVolumeClaim {
	t.Helper()
	pvc, err := c.CoreV1().PersistentVolumeClaims(namespace).Get(context.Background(), c.name, metav1.GetOptions{})
	must(t, err)
	return pvc
}

func (c claim) spec(t *testing.T) *volume.Spec {
	return volume.NewSpecFromPersistentVolume(c.volume(t), c.readOnly)
}

func newPod(volume v1.VolumeSource) *v1.Pod {
	id := uuid.NewUUID()
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod-" + string(id)[:8], Namespace: namespace, UID: id},
		Spec: v1.PodSpec{
			ServiceAccountName: "default",
			Volumes:            []v1.Volume{{Name: "data", VolumeSource: volume}},
			// kubelet mounts only what some container uses.
			Containers: []v1.Container{{Name: "main", VolumeMounts: []v1.VolumeMount{{Name: "data", MountPath: "/data"}}}},
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
