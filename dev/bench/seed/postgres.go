package seed

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

type postgresLoader struct{ *conn }

func openPostgres(ctx context.Context, address string) (loader, error) {
	// The rows are consistent as they are made; without triggers nothing checks each of them again.
	c, err := openConn(ctx, "pgx", address, "SET session_replication_role = replica", "SET synchronous_commit = off", "SET maintenance_work_mem = '256MB'")
	if err != nil {
		return nil, err
	}
	return &postgresLoader{c}, nil
}

func (l *postgresLoader) indexes(ctx context.Context) ([]index, error) {
	return collectIndexes(ctx, l.Conn, `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
		AND tablename IN ('plans', 'changes', 'exchanges', 'change_steps')
		AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace)`)
}

// insert copies, which needs one round trip where an INSERT needs one a row.
func (l *postgresLoader) insert(ctx context.Context, t table, rows [][]any) error {
	return l.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("the driver is not pgx")
		}
		_, err := c.Conn().CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(rows))
		return err
	})
}

func (l *postgresLoader) finish(ctx context.Context) error {
	for _, s := range []string{
		`SELECT setval(pg_get_serial_sequence('changes', 'number'), (SELECT MAX(number) FROM changes))`,
		"VACUUM ANALYZE", "CHECKPOINT",
	} {
		if err := l.run(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
