package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
)

// tx is one writing transaction with the moment it began.
//
// A statement whose answer nobody waits for is queued: it is carried out, in its order, before the next question or the
// commit, which also tell what went wrong with it. PostgreSQL gets all of that in one trip.
type tx struct {
	ctx    context.Context
	s      *Store
	now    int64
	key    keyID // that secrets are encrypted with, in a sealing transaction
	on     carrier
	queued []command
}

// command is a statement of a transaction.
type command struct {
	query string
	args  []any
	one   bool                // it has to change exactly one row: ErrMoved
	each  func(scanner) error // is given each row that it returns; nil where nobody wants any
}

// carrier takes the statements of one transaction to its database.
type carrier interface {
	// carry carries statements out in their order, until one fails.
	carry(ctx context.Context, list []command) error
	// commit does the same and makes what the transaction did last.
	commit(ctx context.Context, list []command) error
}

// queue carries a statement out later.
func (t *tx) queue(query string, args ...any) {
	t.queued = append(t.queued, command{query: query, args: args})
}

// queueOne queues a guarded statement: ErrMoved unless exactly one row changes.
func (t *tx) queueOne(query string, args ...any) {
	t.queued = append(t.queued, command{query: query, args: args, one: true})
}

// flush carries out what is queued and tells what went wrong.
func (t *tx) flush() error {
	if len(t.queued) == 0 {
		return nil
	}
	list := t.queued
	t.queued = nil
	return t.on.carry(t.ctx, list)
}

// one is queueOne for a statement whose failing is looked at.
func (t *tx) one(query string, args ...any) error {
	t.queueOne(query, args...)
	return t.flush()
}

// row asks for one record when it is scanned: sql.ErrNoRows when there is none.
func (t *tx) row(query string, args ...any) scanner {
	return question(func(dest ...any) error {
		found := false
		err := t.rows(func(r scanner) error {
			if found {
				return nil
			}
			found = true
			return r.Scan(dest...)
		}, query, args...)
		if err == nil && !found {
			return sql.ErrNoRows
		}
		return err
	})
}

// ask queues a question for one record, which is answered along with the next one: dest has it then, and answered tells
// whether there is one.
func (t *tx) ask(dest []any, query string, args ...any) (answered *bool) {
	answered = new(bool)
	t.queued = append(t.queued, command{query: query, args: args, each: func(r scanner) error {
		*answered = true
		return r.Scan(dest...)
	}})
	return answered
}

type question func(dest ...any) error

// Scan asks and copies the columns of the first record into dest.
func (q question) Scan(dest ...any) error { return q(dest...) }

// rows gives each record that a statement returns.
func (t *tx) rows(each func(scanner) error, query string, args ...any) error {
	t.queued = append(t.queued, command{query: query, args: args, each: each})
	return t.flush()
}

// has locks what a query finds until the transaction ends; ErrMoved when it finds nothing. From names table and condition.
func (t *tx) has(from string, args ...any) error {
	var one int
	err := t.row(`SELECT 1 FROM `+from+`{lock}`, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrMoved
	}
	return err
}

// commit ends the transaction well.
func (t *tx) commit() error {
	// A guard has to hold before the commit leaves.
	if slices.ContainsFunc(t.queued, func(c command) bool { return c.one }) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	return t.on.commit(t.ctx, t.queued)
}

// write runs f in one transaction, which is on the disk when it returns; an error of f rolls everything back.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	return s.transact(ctx, s.dialect.synced, f)
}

// lightly is write for what may be forgotten in a power cut, such as when something was last seen: it does not wait for the
// disk. What is written later with write is never on the disk without it. Each statement has {light} among its conditions.
// On PostgreSQL what is carried out together stands for itself, so f asks once, as the last it does.
func (s *Store) lightly(ctx context.Context, f func(*tx) error) error {
	return s.transact(ctx, s.dialect.light, f)
}

// transact runs f in one transaction of a kind.
func (s *Store) transact(ctx context.Context, in transaction, f func(*tx) error) error {
	ctx, end := within(ctx)
	defer end()
	return unavailable(in(ctx, s, func(c carrier) error {
		t := &tx{ctx: ctx, s: s, now: s.now(), on: c}
		if err := f(t); err != nil {
			return err
		}
		return t.commit()
	}))
}

// transaction runs f with the carrier of a new one and undoes what f did not commit.
type transaction func(ctx context.Context, s *Store, f func(carrier) error) error
