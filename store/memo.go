package store

import "sync"

// keptRows bounds how many rows of a kind stay in memory, a hundred bytes each.
const keptRows = 20_000

// keptApps and keptEntries bound how many apps and entries stay in memory, half a kilobyte each.
const (
	keptApps    = 5_000
	keptEntries = 2_000
)

// keptWhole bounds how many entries stay in memory with all that their pages show: a few kilobytes each, seventy at most.
const keptWhole = 100

// memo keeps what was read. What may change under its key is kept with something that tells whether it has. It starts
// anew when full.
type memo[K comparable, V any] struct {
	most int
	mu   sync.RWMutex
	list map[K]V
}

// newMemo makes a memo of at most so many values.
func newMemo[K comparable, V any](most int) *memo[K, V] {
	return &memo[K, V]{most: most, list: map[K]V{}}
}

func (m *memo[K, V]) find(key K) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.list[key]
	return v, ok
}

func (m *memo[K, V]) keep(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.list) >= m.most {
		m.list = map[K]V{}
	}
	m.list[key] = v
}
