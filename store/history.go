package store

import (
	"context"
	"fmt"
	"strings"
)

// requestIDLimit bounds a stored RequestId, in bytes.
const requestIDLimit = 256

// Filter selects entries of the history. Zero values select everything.
type Filter struct {
	Before    int64 // numbers below this one, the cursor
	Number    int64
	SDKAppID  int64
	Attempt   *int64
	Who       string // the whole name of a person, ignoring case
	RequestID string // whole, or its beginning
	URLPart   string // part of a callback URL, ignoring case
	State     string // a settled state or outcome
	Kind      string
	Acts      bool // only kinds that have an outcome
	Limit     int
}

// Entry is what lists show of an entry of the history.
type Entry struct {
	Number      int64
	Kind        string
	App         string
	Environment string
	Who         string // "" for the console
	Summary     string
	Outcome     string
	Settled     string
	StartedAt   int64
	DurationMS  *int64
	ErrorCode   *int64
	RequestID   string
}

// Entries lists entries, newest first, with no more of each than lists show: reading whole changes takes three times as long.
func (s *Store) Entries(ctx context.Context, f Filter) ([]Entry, error) {
	where, args := f.where()
	return all(ctx, s, scanEntry, `SELECT changes.number, changes.kind, changes.app, changes.environment, changes.who, changes.summary,
			COALESCE(changes.outcome, ''), COALESCE(changes.settled, ''), changes.started_at, changes.duration_ms, changes.error_code, changes.request_id
		FROM changes`+where+fmt.Sprintf(` ORDER BY changes.number DESC LIMIT %d`, f.Limit), args...)
}

func scanEntry(r scanner) (Entry, error) {
	var e Entry
	err := r.Scan(&e.Number, &e.Kind, &e.App, &e.Environment, &e.Who, &e.Summary, &e.Outcome, &e.Settled, &e.StartedAt, &e.DurationMS, &e.ErrorCode, &e.RequestID)
	return e, err
}

// History lists whole entries, newest first.
func (s *Store) History(ctx context.Context, f Filter) ([]Change, error) {
	where, args := f.where()
	return all(ctx, s, scanChange, `SELECT `+changeColumns+` FROM changes`+where+fmt.Sprintf(` ORDER BY changes.number DESC LIMIT %d`, f.Limit), args...)
}

func (f Filter) where() (string, []any) {
	var parts []string
	var args []any
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		parts = append(parts, condition)
	}
	if f.Before != 0 {
		add(`changes.number < ?`, f.Before)
	}
	if f.Number != 0 {
		add(`changes.number = ?`, f.Number)
	}
	if f.SDKAppID != 0 {
		add(`changes.sdkappid = ?`, f.SDKAppID)
	}
	if f.Attempt != nil {
		add(`changes.attempt = ?`, *f.Attempt)
	}
	if f.Who != "" {
		add(`changes.who_key = ?`, Key(f.Who))
	}
	if f.RequestID != "" {
		// A range is an index look-up on both databases, which LIKE is not.
		prefix := storable(f.RequestID)
		add(`changes.request_id >= ? AND changes.request_id < ?`, prefix, prefix+afterRequestID)
	}
	if f.URLPart != "" {
		like := `SELECT digest FROM configurations WHERE search LIKE ? ESCAPE '!'`
		part := "%" + likeEscape.Replace(strings.ToLower(storable(f.URLPart))) + "%"
		add(`(changes.wanted IN (`+like+`) OR changes.previous IN (`+like+`) OR changes.found IN (`+like+`))`, part, part, part)
	}
	if f.State != "" {
		add(`COALESCE(changes.settled, changes.outcome) = ?`, f.State)
	}
	if f.Acts {
		add(`changes.outcome IS NOT NULL`)
	}
	if f.Kind != "" {
		add(`changes.kind = ?`, f.Kind)
	}
	if len(parts) == 0 {
		return "", args
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// afterRequestID sorts behind whatever may follow the beginning of a stored RequestId.
var afterRequestID = strings.Repeat("\U0010FFFF", requestIDLimit/4+1)

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// ExportEntry is an entry with its configurations, nil where there is none.
type ExportEntry struct {
	Change
	PreviousConfiguration, WantedConfiguration *Configuration
}

// EachEntry calls f for every selected entry, newest first, reading in steps so that no connection is held while f writes.
func (s *Store) EachEntry(ctx context.Context, f Filter, each func(ExportEntry) error) error {
	f.Limit = 500
	for {
		list, err := s.History(ctx, f)
		if err != nil {
			return err
		}
		for _, c := range list {
			e := ExportEntry{Change: c}
			if e.PreviousConfiguration, err = s.configurationOf(ctx, c.Previous); err != nil {
				return err
			}
			if e.WantedConfiguration, err = s.configurationOf(ctx, c.Wanted); err != nil {
				return err
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if len(list) < f.Limit {
			return nil
		}
		f.Before = list[len(list)-1].Number
	}
}

// configurationOf is nil where an entry has none.
func (s *Store) configurationOf(ctx context.Context, digest string) (*Configuration, error) {
	if digest == "" {
		return nil, nil
	}
	c, err := s.Configuration(ctx, digest)
	return &c, err
}
