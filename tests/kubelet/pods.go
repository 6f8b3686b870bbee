package kubelet

import (
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pods is kubelet's pod manager and pod workers in one: a pod not listed here has ended.
type pods struct {
	mutex sync.Mutex
	all   map[types.UID]*v1.Pod
}

func newPods(assigned []*v1.Pod) *pods {
	p := &pods{all: map[types.UID]*v1.Pod{}}
	for _, pod := range assigned {
		p.add(pod)
	}
	return p
}

func (p *pods) add(pod *v1.Pod) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.all[pod.UID] = pod
}

func (p *pods) delete(pod *v1.Pod) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.all, pod.UID)
}

func (p *pods) GetPodByUID(uid types.UID) (*v1.Pod, bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	pod, found := p.all[uid]
	return pod, found
}

func (p *pods) GetPods() []*v1.Pod {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var all []*v1.Pod
	for _, pod := range p.all {
		all = append(all, pod)
	}
	return all
}

func (p *pods) ShouldPodContainersBeTerminating(uid types.UID) bool {
	return p.ShouldPodRuntimeBeRemoved(uid)
}

func (p *pods) ShouldPodRuntimeBeRemoved(uid types.UID) bool {
	_, found := p.GetPodByUID(uid)
	return !found
}
