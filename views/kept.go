package views

import (
	"context"
	"io"
	"sync"

	"github.com/a-h/templ"
)

// keptRows bounds how many written rows stay in memory, one or two kilobytes each.
const keptRows = 2000

// Written remembers how rows were written. Most say the same whenever somebody looks, as what has ended changes no more and
// events are always the same. It starts anew when full. The zero value is ready; it is safe for concurrent use.
type Written struct {
	mu   sync.RWMutex
	rows map[rowKey]string
}

// Row is a row that is made only where nobody remembers how it was written. Key is comparable, and says all that the row
// depends on but the language.
type Row[T any] struct {
	Key  any
	Make func() T
}

// rowKey is everything that the text of a row depends on; the assets are the same for the life of a process.
type rowKey struct {
	language string
	row      any
}

// kept writes a row, or repeats what was written for the same key in the same language.
func kept[T any](b Base, row Row[T], write func(Base, T) templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		key := rowKey{b.P.Language, row.Key}
		text, ok := b.Written.find(key)
		if !ok {
			html, err := templ.ToGoHTML(ctx, write(b, row.Make()))
			if err != nil {
				return err
			}
			text = string(html)
			b.Written.keep(key, text)
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

func (m *Written) find(key rowKey) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	text, ok := m.rows[key]
	return text, ok
}

func (m *Written) keep(key rowKey, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil || len(m.rows) >= keptRows {
		m.rows = map[rowKey]string{}
	}
	m.rows[key] = text
}
