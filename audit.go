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
	s, err := openToRead(ctx, o)
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

// openToRead opens what a console has stored. It makes nothing that is not there.
func openToRead(ctx context.Context, o dataOptions) (*store.Store, error) {
	if err := o.faults(); err != nil {
		return nil, err
	}
	address, err := o.databaseAddress()
	if err != nil {
		return nil, err
	}
	if !store.IsPostgres(address) && notThere(address) {
		return nil, fmt.Errorf("there is no database at %s; name its folder with --data", address)
	}
	keys, err := o.givenKeys()
	if err == nil && keys == nil {
		keys, err = store.LoadKeys(o.keysetPath(), false)
	}
	if err != nil {
		return nil, err
	}
	s, err := store.OpenToRead(ctx, store.Options{Database: address, Keys: keys})
	if errors.Is(err, store.ErrKeys) {
		return nil, errOtherKeys
	}
	return s, err
}
