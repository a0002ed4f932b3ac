// Package seed fills a database with as many changes as a measurement needs: apps, configurations, plans, entries of
// every kind with their exchanges and timelines, spread as in use. The same options give the same entries.
package seed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"callboard/store"
)

// Admin is the identifier that every seeded app signs as.
const Admin = "administrator"

// Options say what to fill and how much.
type Options struct {
	Database string // as store.Options has it; the schema is made here
	Keys     *store.Keys
	Entries  int
	Apps     int
	Region   string // region of every app, a name of --extra-endpoints
	Host     string // what entries keep as the host of their call
	Now      time.Time
}

// App is one seeded app.
type App struct {
	ID      int64
	Current store.Configuration // what the last reading found
	Steady  bool                // in step and without an open change
}

// Seeded says what a database holds, for measurements that need something to look for.
type Seeded struct {
	Apps      []App
	Newest    int64  // number of the newest entry
	Change    int64  // an applied change with exchange and timeline, half-way back
	RequestID string // that change's
	Attempt   int64  // that change's
	Person    string // somebody with many entries
	Path      string // part of the URLs of one app
	BusyApp   int64  // the app with the most entries
}

// Key is the secret key of a seeded app. It protects nothing.
func Key(sdkappid int64) string {
	sum := sha256.Sum256([]byte("callboard measured app " + strconv.FormatInt(sdkappid, 10)))
	return hex.EncodeToString(sum[:])
}

// Fill makes schema and rows. say is told how far it is.
func Fill(ctx context.Context, o Options, say func(string)) (Seeded, error) {
	s, err := store.Open(ctx, store.Options{Database: o.Database, Keys: o.Keys, Clock: func() time.Time { return o.Now }})
	if err != nil {
		return Seeded{}, err
	}
	past := newPast(o)
	if err := past.addApps(ctx, s); err != nil {
		return Seeded{}, errors.Join(err, s.Close())
	}
	// The bulk goes past the store, which must hold no lock then.
	if err := s.Close(); err != nil {
		return Seeded{}, err
	}
	if err := past.load(ctx, o, say); err != nil {
		return Seeded{}, fmt.Errorf("writing the entries: %w", err)
	}
	if s, err = store.Open(ctx, store.Options{Database: o.Database, Keys: o.Keys}); err != nil {
		return Seeded{}, err
	}
	err = past.read(ctx, s)
	return past.seeded, errors.Join(err, s.Close())
}

// addApps makes the apps and all configurations that entries refer to.
func (p *past) addApps(ctx context.Context, s *store.Store) error {
	for i := range p.apps {
		a := &p.apps[i]
		err := s.AddApp(ctx, store.Console, store.AppSettings{SDKAppID: a.id, Name: a.name, Region: p.options.Region, Identifier: Admin,
			Environment: a.environment, Secret: Key(a.id)})
		if err != nil {
			return fmt.Errorf("adding an app: %w", err)
		}
		for _, c := range a.pool {
			digest, err := s.KeepConfiguration(ctx, c)
			if err != nil {
				return fmt.Errorf("adding a configuration: %w", err)
			}
			a.digests = append(a.digests, digest)
		}
	}
	return nil
}

// read gives every app its reading: most are in step, some drifted, one is unreadable.
func (p *past) read(ctx context.Context, s *store.Store) error {
	for i := range p.apps {
		a := &p.apps[i]
		now := a.pool[a.current]
		if err := keep(ctx, s, a, now); err != nil {
			return err
		}
		drifted := i%50 == 49
		if drifted {
			now = a.pool[(a.current+1)%len(a.pool)]
			if err := keep(ctx, s, a, now); err != nil {
				return err
			}
		}
		if i == 7 {
			if err := s.ReadingFailed(ctx, a.id, nil, "timeout"); err != nil {
				return err
			}
		}
		p.seeded.Apps = append(p.seeded.Apps, App{ID: a.id, Current: now, Steady: !drifted && i != 7 && !a.open})
	}
	list, err := s.History(ctx, store.Filter{Limit: 1})
	if err == nil && len(list) == 1 {
		p.seeded.Newest = list[0].Number
	}
	return err
}

func keep(ctx context.Context, s *store.Store, a *app, c store.Configuration) error {
	known, err := s.App(ctx, a.id)
	if err != nil {
		return err
	}
	_, err = s.KeepReading(ctx, store.Console, store.NewReading{SDKAppID: a.id, Configuration: c, RequestID: requestID(uint64(a.id), 1), DurationMS: 71,
		Host: "127.0.0.1", RecordVersion: known.RecordVersion, Summary: `{"added":1}`})
	if err != nil {
		return fmt.Errorf("adding a reading: %w", err)
	}
	return nil
}
