package views

import (
	"context"
	"io"
	"sync"

	"github.com/a-h/templ"
)

// keptRows bounds how many written rows stay in memory, one or two kilobytes each.
const keptRows = 2000

// written remembers how rows of long lists were written. Most rows say the same whenever somebody looks, as what has
// ended changes no more. It starts anew when full.
var written struct {
	mu   sync.RWMutex
	rows map[any]string
}

// rowKey is everything that the text of a row depends on; the assets are the same for the life of a process.
type rowKey[T comparable] struct {
	language string
	row      T
}

// kept writes a row, or repeats what was written for an equal row in the same language.
func kept[T comparable](b Base, row T, write func(Base, T) templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		key := rowKey[T]{b.P.Language, row}
		written.mu.RLock()
		text, ok := written.rows[key]
		written.mu.RUnlock()
		if !ok {
			html, err := templ.ToGoHTML(ctx, write(b, row))
			if err != nil {
				return err
			}
			text = string(html)
			keepRow(key, text)
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

func keepRow(key any, text string) {
	written.mu.Lock()
	defer written.mu.Unlock()
	if written.rows == nil || len(written.rows) >= keptRows {
		written.rows = map[any]string{}
	}
	written.rows[key] = text
}
