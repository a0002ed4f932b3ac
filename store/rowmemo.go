package store

import (
	"context"
	"errors"
)

// versioned is a row as it stood at a version of it, which a trigger counts.
type versioned[V any] struct {
	version int64
	value   V
}

// rowMemo lists rows of one table from memory. The row_version of each tells whether memory has it as it is.
// Two columns of a row are read in far less time than all of them.
type rowMemo[V any] struct {
	table, id, columns string
	fields             func(*V) []any // where the columns go
	kept               *memo[int64, versioned[V]]
}

// mostAlone is how many rows are read one by one where memory lacks them; of more the whole list is read.
const mostAlone = 20

// list is what a query selects; rest is all of it behind the name of the table.
func (m rowMemo[V]) list(ctx context.Context, s *Store, rest string, args ...any) ([]versioned[V], error) {
	var missing []int
	var ids []int64
	list := make([]versioned[V], 0, 128)
	_, err := all(ctx, s, func(r scanner) (struct{}, error) {
		var id, version int64
		if err := r.Scan(&id, &version); err != nil {
			return struct{}{}, err
		}
		known, ok := m.kept.find(id)
		if !ok || known.version != version {
			missing = append(missing, len(list))
		}
		list, ids = append(list, known), append(ids, id)
		return struct{}{}, nil
	}, m.query(m.id)+rest, args...)
	if err != nil || len(missing) == 0 {
		return list, err
	}
	if len(missing) <= mostAlone {
		for _, i := range missing {
			if list[i], err = m.one(ctx, s, ids[i]); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrNotFound) { // it was there a moment ago
			return list, err
		}
	}
	return all(ctx, s, m.scan, m.query(m.columns+`, `+m.id)+rest, args...)
}

// at is the row that has a version, from memory where it has it.
func (m rowMemo[V]) at(ctx context.Context, s *Store, id, version int64) (V, error) {
	if known, ok := m.kept.find(id); ok && known.version == version {
		return known.value, nil
	}
	v, err := m.one(ctx, s, id)
	return v.value, err
}

// one reads a row and keeps it in memory.
func (m rowMemo[V]) one(ctx context.Context, s *Store, id int64) (versioned[V], error) {
	return found(m.scan(s.row(ctx, m.query(m.columns+`, `+m.id)+` WHERE `+m.id+` = $1`, id)))
}

// query begins a query of some columns and the version.
func (m rowMemo[V]) query(columns string) string {
	return `SELECT ` + columns + `, ` + m.table + `.row_version FROM ` + m.table
}

func (m rowMemo[V]) scan(r scanner) (versioned[V], error) {
	var id int64
	var v versioned[V]
	err := r.Scan(append(m.fields(&v.value), &id, &v.version)...)
	if err == nil {
		m.kept.keep(id, v)
	}
	return v, err
}
