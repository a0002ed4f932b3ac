package store

import "context"

// filterLimit bounds how much of a search is kept with an export, in bytes.
const filterLimit = 2000

// HistoryExported records that somebody takes entries out of the console: in which format, and by which search.
func (s *Store) HistoryExported(ctx context.Context, a Actor, format, filter string) error {
	return s.write(ctx, func(t *tx) error {
		return t.audit(a, "history.exported", "history", map[string]string{"format": format, "filter": Text(filter, filterLimit)})
	})
}

// BundleMade records that somebody takes the support bundle of an entry.
func (s *Store) BundleMade(ctx context.Context, a Actor, number int64) error {
	return s.write(ctx, func(t *tx) error { return t.audit(a, "bundle.made", changeTarget(number), nil) })
}
