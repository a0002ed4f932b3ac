package seed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"callboard/store"
)

// perTransaction is how many entries one transaction takes.
const perTransaction = 20_000

// loader writes rows in bulk, on one connection that checks and syncs nothing until the end.
type loader interface {
	insert(ctx context.Context, t table, rows [][]any) error
	// indexes lists what can be made after the rows, as statements that drop and make them.
	indexes(ctx context.Context) ([]index, error)
	begin(ctx context.Context) error
	commit(ctx context.Context) error
	finish(ctx context.Context) error
	run(ctx context.Context, statement string) error
	close() error
}

// index is one index that rows need not wait for.
type index struct{ name, make string }

// load writes all entries and brings the database into the state of one that grew by itself.
func (p *past) load(ctx context.Context, o Options, say func(string)) error {
	open := openSQLite
	if store.IsPostgres(o.Database) {
		open = openPostgres
	}
	l, err := open(ctx, o.Database)
	if err != nil {
		return err
	}
	err = p.loadInto(ctx, l, say)
	return errors.Join(err, l.close())
}

func (p *past) loadInto(ctx context.Context, l loader, say func(string)) error {
	later, err := l.indexes(ctx)
	if err != nil {
		return err
	}
	for _, i := range later {
		if err := l.run(ctx, "DROP INDEX "+i.name); err != nil {
			return err
		}
	}
	for first := 1; first <= p.options.Entries; first += perTransaction {
		last := min(first+perTransaction-1, p.options.Entries)
		if err := p.loadSome(ctx, l, first, last); err != nil {
			return err
		}
		if last%500_000 == 0 {
			say(fmt.Sprintf("%d entries written", last))
		}
	}
	for _, i := range later {
		if err := l.run(ctx, i.make); err != nil {
			return err
		}
	}
	// A console that has run for a while reads its apps one after another over the hour, not all of them now.
	err = l.run(ctx, fmt.Sprintf(`UPDATE apps SET last_number = (SELECT MAX(number) FROM changes WHERE changes.sdkappid = apps.sdkappid), watch_at = %d + (sdkappid * 7919) %% 3600000`,
		p.options.Now.UnixMilli()))
	if err != nil {
		return err
	}
	return l.finish(ctx)
}

func (p *past) loadSome(ctx context.Context, l loader, first, last int) error {
	rows := map[string][][]any{}
	for n := first; n <= last; n++ {
		e := p.next(n)
		rows[list.name] = append(rows[list.name], p.changeRow(e))
		if e.plan == "" {
			continue
		}
		rows[plans.name] = append(rows[plans.name], p.planRow(e))
		rows[steps.name] = append(rows[steps.name], p.stepRows(e)...)
		if e.Outcome != store.NotSent {
			rows[exchanges.name] = append(rows[exchanges.name], p.exchangeRow(e))
		}
	}
	if err := l.begin(ctx); err != nil {
		return err
	}
	for _, t := range []table{plans, list, exchanges, steps} {
		if err := l.insert(ctx, t, rows[t.name]); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return l.commit(ctx)
}

// collectIndexes reads rows of name and statement.
func collectIndexes(ctx context.Context, c *sql.Conn, query string) ([]index, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []index
	for rows.Next() {
		var i index
		if err := rows.Scan(&i.name, &i.make); err != nil {
			return nil, err
		}
		found = append(found, i)
	}
	return found, rows.Err()
}

// conn is what both loaders share.
type conn struct {
	db *sql.DB
	*sql.Conn
}

func openConn(ctx context.Context, driver, address string, settings ...string) (*conn, error) {
	db, err := sql.Open(driver, address)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	made := &conn{db: db, Conn: c}
	for _, s := range settings {
		if err := made.run(ctx, s); err != nil {
			return nil, errors.Join(err, made.close())
		}
	}
	return made, nil
}

func (c *conn) run(ctx context.Context, statement string) error {
	if _, err := c.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func (c *conn) begin(ctx context.Context) error  { return c.run(ctx, "BEGIN") }
func (c *conn) commit(ctx context.Context) error { return c.run(ctx, "COMMIT") }
func (c *conn) close() error                     { return errors.Join(c.Conn.Close(), c.db.Close()) }
