package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"callboard/store"
)

// errKeysInOptions says what to do when the key set stands in the options, which no program can change.
var errKeysInOptions = errors.New("the key set stands in CALLBOARD_KEYSET or --keyset, and cannot be changed there: put its text into a file that only you can read, " +
	"then run `callboard keys rotate --prepare --keyset-file FILE`, start every console with the new text of FILE, run `callboard keys rotate --keyset-file FILE`, " +
	"and after `callboard keys retire --keyset-file FILE` start them with its text once more")

// runKeys looks after the keys that encrypt secrets, beside running consoles or without one. It prints their numbers, never
// a key.
func runKeys(ctx context.Context, o keysOptions, stdout io.Writer) error {
	if o.Prepare && o.Do != "rotate" {
		return errors.New("--prepare belongs to `callboard keys rotate`")
	}
	if o.Do != "list" && o.Keyset != "" {
		return errKeysInOptions
	}
	open := store.Open
	if o.Do == "list" {
		open = store.OpenToRead
	}
	s, err := o.open(ctx, open)
	if err != nil {
		return err
	}
	text, err := o.act(ctx, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

func (o keysOptions) act(ctx context.Context, s *store.Store) (string, error) {
	switch o.Do {
	case "rotate":
		r, err := s.RotateKeys(ctx, store.CommandLine, o.Prepare)
		if o.Prepare && !r.Prepared && err == nil {
			return "", errors.New("no key was added, as a rotation of before is not finished; `callboard keys rotate` finishes it")
		}
		return rotatedText(r), err
	case "retire":
		removed, err := s.RetireKeys(ctx, store.CommandLine)
		var left *store.KeysLeftError
		if errors.As(err, &left) {
			return "", fmt.Errorf("nothing was retired: the newest key is not in use everywhere yet, and %s encrypted with older ones; `callboard keys rotate` goes on", secrets(left.Secrets, "is", "are"))
		}
		return retiredText(removed), err
	}
	list, err := s.Keys(ctx)
	return keysTable(list), err
}

func rotatedText(r store.KeyRotation) string {
	switch {
	case r.Added && r.Prepared:
		return lines(fmt.Sprintf("Key %d was added to the key set file and is not in use yet.", r.Key),
			"Bring the file to every machine that has a copy, then run `callboard keys rotate`.")
	case r.Prepared:
		return lines(fmt.Sprintf("Key %d is in the key set file already and not in use yet; no other was added.", r.Key))
	case r.Added:
		return lines(fmt.Sprintf("Key %d was added and is in use; %s encrypted with it.", r.Key, secrets(r.Secrets, "was", "were")),
			"Keep a copy of the key set file apart from your backups. `callboard keys retire` removes the older keys.")
	}
	return lines(fmt.Sprintf("A rotation of before was finished, so no key was added: %s encrypted with key %d.", secrets(r.Secrets, "was", "were"), r.Key))
}

func retiredText(removed []uint32) string {
	if len(removed) == 0 {
		return lines("There is no older key.")
	}
	numbers := make([]string, len(removed))
	for i, n := range removed {
		numbers[i] = strconv.FormatUint(uint64(n), 10)
	}
	return lines("Removed from the key set file, as nothing needs them any more: "+strings.Join(numbers, ", ")+".",
		"Backups of before need the copy of the key set of their time.")
}

// secrets counts them with the verb that fits.
func secrets(n int, one, other string) string {
	if n == 1 {
		return "1 secret " + one
	}
	return strconv.Itoa(n) + " secrets " + other
}

func keysTable(list []store.KeyInfo) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tSTATE\tPRIMARY\tSECRETS")
	for _, k := range list {
		primary := "no"
		if k.Primary {
			primary = "yes"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\n", k.Key, k.State, primary, k.Secrets)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return text.String()
}
