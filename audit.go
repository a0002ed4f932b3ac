package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"callboard/store"
)

// checkAudit walks the whole chain of the audit and says how long it is, or where it is broken. It writes nothing and
// leaves the schema as it is, so that the console it belongs to may be running, in another version too.
func checkAudit(ctx context.Context, o dataOptions, stdout io.Writer) error {
	s, err := o.open(ctx, store.OpenToRead)
	if err != nil {
		return err
	}
	number, broken, err := s.CheckAudit(ctx)
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("reading the audit: %w", err)
	}
	if broken {
		return fmt.Errorf("the audit is broken at row %d: this row was changed, removed or put in", number)
	}
	_, err = fmt.Fprintf(stdout, "%d audit rows, unbroken\n", number)
	return err
}
