package seed

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// rowsPerStatement is how many rows one INSERT takes; the statement is prepared once a table.
const rowsPerStatement = 50

type sqliteLoader struct {
	*conn
	statements map[string]*sql.Stmt
}

func openSQLite(ctx context.Context, path string) (loader, error) {
	// A crash spoils the file, which only means to begin anew.
	c, err := openConn(ctx, "sqlite", path, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA foreign_keys = OFF", "PRAGMA cache_size = -200000")
	if err != nil {
		return nil, err
	}
	return &sqliteLoader{conn: c, statements: map[string]*sql.Stmt{}}, nil
}

func (l *sqliteLoader) indexes(ctx context.Context) ([]index, error) {
	return collectIndexes(ctx, l.Conn, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
		AND tbl_name IN ('plans', 'changes', 'exchanges', 'change_steps')`)
}

func (l *sqliteLoader) insert(ctx context.Context, t table, rows [][]any) error {
	for len(rows) > 0 {
		n := min(rowsPerStatement, len(rows))
		if n < rowsPerStatement {
			n = 1
		}
		statement, err := l.statement(ctx, t, n) //nolint:sqlclosecheck // kept for the next rows; close closes it
		if err != nil {
			return err
		}
		var args []any
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (l *sqliteLoader) statement(ctx context.Context, t table, rows int) (*sql.Stmt, error) {
	one := "(" + strings.Repeat("?, ", len(t.columns)-1) + "?)"
	text := "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES " + strings.Repeat(one+", ", rows-1) + one
	if s, ok := l.statements[text]; ok {
		return s, nil
	}
	s, err := l.PrepareContext(ctx, text)
	if err == nil {
		l.statements[text] = s
	}
	return s, err
}

// finish gathers no statistics, as the console gathers none.
func (l *sqliteLoader) finish(ctx context.Context) error {
	for _, s := range []string{"PRAGMA synchronous = FULL", "PRAGMA journal_mode = WAL"} {
		if err := l.run(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (l *sqliteLoader) close() error {
	var all error
	for _, s := range l.statements {
		all = errors.Join(all, s.Close())
	}
	return errors.Join(all, l.conn.close())
}
