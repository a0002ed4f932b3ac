package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"callboard/auth"
	"callboard/changes"
	"callboard/handlers"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
)

// console is a console put together: pages over changes over store and client.
type console struct {
	store    *store.Store
	client   *tencent.Client
	changes  *changes.Service
	pages    http.Handler
	sessions store.SessionLimits
	code     string // opens /setup, "" once somebody exists
	log      *slog.Logger
}

// parts are what a console is built from.
type parts struct {
	database string
	keys     *store.Keys
	regions  *tencent.Directory
	sandbox  bool
	options  serveOptions
	config   serveConfig
}

func build(ctx context.Context, p parts, log *slog.Logger) (*console, error) {
	s, err := store.Open(ctx, store.Options{Database: p.database, Keys: p.keys})
	if err != nil {
		return nil, err
	}
	c := &console{store: s, log: log, sessions: store.SessionLimits{Idle: p.options.SessionIdle, Absolute: p.options.SessionMax}}
	if err := c.build(ctx, p); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return c, nil
}

func (c *console) build(ctx context.Context, p parts) error {
	texts, err := i18n.Load()
	if err != nil {
		return err
	}
	keys, err := c.store.CookieKeys(ctx, auth.NewCookieKey)
	if err != nil {
		return err
	}
	some, err := c.store.HasUsers(ctx)
	if err != nil {
		return err
	}
	if !some {
		c.code = auth.NewCode()
	}
	secure := p.config.publicURL != nil && p.config.publicURL.Scheme == "https"
	c.client = tencent.New(tencent.Options{Proxy: p.config.proxy})
	c.changes = changes.New(changes.Options{Store: c.store, Client: c.client, Regions: p.regions, Log: c.log, Lease: p.options.Lease, Grace: p.options.Grace})
	c.pages, err = handlers.New(handlers.Options{Store: c.store, Changes: c.changes, Regions: p.regions, Texts: texts,
		Cookies: auth.NewCookies(keys, secure, int(c.sessions.Absolute.Seconds())), Sessions: c.sessions, Log: c.log, Zone: p.config.zone, Version: version,
		PublicURL: p.config.publicURL, TrustedProxies: p.config.proxies, SetupCode: c.code, Sandbox: p.sandbox})
	return err
}

// run serves until ctx ends: requests first, then changes under way, then the rest.
func (c *console) run(ctx context.Context, w *web) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.changes.Run(background)
	}()
	tidied := make(chan struct{})
	go func() {
		defer close(tidied)
		c.tidy(background)
	}()
	err := w.serve(ctx, c.pages, c.log)
	finish, cancel := context.WithTimeout(background, stopTime)
	defer cancel()
	c.changes.Close(finish)
	stop()
	<-done
	<-tidied
	c.client.Close()
	return errors.Join(err, c.store.Close())
}

// tidy removes what has expired, now and every hour.
func (c *console) tidy(ctx context.Context) {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	for {
		if err := c.store.DropExpiredSessions(ctx, c.sessions); err != nil && ctx.Err() == nil {
			c.log.Error("expired sessions could not be removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func runServe(ctx context.Context, o serveOptions, log *slog.Logger, stdout io.Writer) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	regions, err := tencent.NewDirectory(o.ExtraEndpoints)
	if err != nil {
		return err
	}
	w, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	c, unlock, err := openData(ctx, o, config, regions, log)
	if err != nil {
		return errors.Join(err, w.listener.Close())
	}
	defer unlock()
	address := w.url
	if config.publicURL != nil {
		address = config.publicURL.String()
	}
	text := "Callboard " + versionText() + " is ready at " + address
	if c.code != "" {
		text = lines(text, "Nobody can sign in yet. Open "+address+"/setup and enter this code.", "Setup code: "+c.code)
	} else {
		text = lines(text)
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	return c.run(ctx, w)
}

// openData opens database and key set, which belong together.
func openData(ctx context.Context, o serveOptions, config serveConfig, regions *tencent.Directory, log *slog.Logger) (*console, func(), error) {
	database, err := o.databaseAddress()
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the data folder: %w", err)
	}
	unlock := func() {}
	fresh := true
	if !store.IsPostgres(database) {
		if unlock, err = lockFolder(o.Data); err != nil {
			return nil, nil, err
		}
		_, err := os.Stat(database)
		fresh = errors.Is(err, os.ErrNotExist)
	}
	c, err := openWithKeys(ctx, o, parts{database: database, regions: regions, options: o, config: config}, fresh, log)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return c, unlock, nil
}

func openWithKeys(ctx context.Context, o serveOptions, p parts, fresh bool, log *slog.Logger) (*console, error) {
	path := o.KeysetFile
	if path == "" {
		path = filepath.Join(o.Data, "keyset.json")
	}
	made := false
	var err error
	if o.Keyset != "" {
		p.keys, err = store.ParseKeys([]byte(o.Keyset))
	} else {
		_, statErr := os.Stat(path)
		made = errors.Is(statErr, os.ErrNotExist)
		if made && !fresh {
			return nil, fmt.Errorf("there is a database but no key set at %s; without its key set the stored secrets cannot be read. Put the key set back, or name it with --keyset-file", path)
		}
		p.keys, err = store.LoadKeys(path, true)
	}
	if err != nil {
		return nil, err
	}
	c, err := build(ctx, p, log)
	if errors.Is(err, store.ErrKeys) {
		if made {
			// It was made for a database that has one already: leave nothing behind that looks right.
			_ = os.Remove(path)
		}
		return nil, errors.New("the key set does not belong to this database; start with the key set that the database was made with (--keyset-file or CALLBOARD_KEYSET)")
	}
	return c, err
}

// databaseAddress is the PostgreSQL address, or the SQLite file in the data folder.
func (o serveOptions) databaseAddress() (string, error) {
	address := o.Database
	if o.DatabaseFile != "" {
		text, err := os.ReadFile(o.DatabaseFile)
		if err != nil {
			return "", fmt.Errorf("reading the database address: %w", err)
		}
		address = strings.TrimSpace(string(text))
	}
	if address == "" {
		return filepath.Join(o.Data, "callboard.db"), nil
	}
	if !store.IsPostgres(address) {
		return "", errors.New("--database is an address such as postgres://user:password@host:5432/callboard; leave it out for SQLite in the data folder")
	}
	return address, nil
}

// lockFolder refuses a second console on one SQLite folder.
func lockFolder(folder string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(folder, "callboard.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another console is running on the data folder %s; stop it first, or use PostgreSQL for several", folder)
	}
	return func() { _ = f.Close() }, nil
}
