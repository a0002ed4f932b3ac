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
	"runtime/debug"
	"strings"
	"sync"
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
	keep     time.Duration // how long entries stay, 0 for ever
	code     string        // opens /setup, "" once somebody exists
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
	s, err := store.Open(ctx, store.Options{Database: p.database, Keys: p.keys, Reached: reached})
	if err != nil {
		return nil, err
	}
	c := &console{store: s, log: log, keep: p.options.Retention, sessions: store.SessionLimits{Idle: p.options.SessionIdle, Absolute: p.options.SessionMax}}
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
	c.changes = changes.New(changes.Options{Store: c.store, Client: c.client, Regions: p.regions, Log: c.log, Lease: p.options.Lease, Grace: p.options.Grace,
		WatchEvery: p.options.WatchEvery, Reached: reached})
	c.pages, err = handlers.New(handlers.Options{Store: c.store, Changes: c.changes, Regions: p.regions, Texts: texts,
		Cookies: auth.NewCookies(keys, secure, int(c.sessions.Absolute.Seconds())), Sessions: c.sessions, Log: c.log, Zone: p.config.zone, Version: version,
		PublicURL: p.config.publicURL, TrustedProxies: p.config.proxies, SetupCode: c.code, Sandbox: p.sandbox, Retention: c.keep})
	return err
}

// run says that the console is ready and serves until ctx ends: requests first, then changes under way, then the rest.
func (c *console) run(ctx context.Context, w *web, stdout io.Writer, text string) error {
	if _, err := io.WriteString(stdout, text); err != nil {
		return errors.Join(fmt.Errorf("saying where the console is: %w", err), c.close())
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { c.changes.Run(background) })
	loops.Go(func() { c.tidy(background) })
	err := w.serve(ctx, c.pages, c.log)
	finish, cancel := context.WithTimeout(background, stopTime)
	defer cancel()
	c.changes.Close(finish)
	stop()
	loops.Wait()
	return errors.Join(err, c.close())
}

func (c *console) close() error {
	c.client.Close()
	return c.store.Close()
}

// tidy removes what has expired, now and every hour, and gives memory back.
func (c *console) tidy(ctx context.Context) {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	for {
		err := errors.Join(c.store.DropExpiredSessions(ctx, c.sessions), c.store.DropUnusedTries(ctx), c.store.DropOldBrowsers(ctx, auth.KnownBrowserLife), c.store.DropOldLinks(ctx))
		if err != nil && ctx.Err() == nil {
			c.log.Error("what has expired could not be removed", "err", err)
		}
		if err := c.store.DropExpiredTokens(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("the tokens of expired plans could not be erased", "err", err)
		}
		if err := c.prune(ctx, prunePause); err != nil && ctx.Err() == nil {
			c.log.Error("old entries could not be removed", "err", err)
		}
		debug.FreeOSMemory() // the start and a tidying need more than an idle console
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// prunePause lies between two steps of pruning and leaves the database to others.
const prunePause = 100 * time.Millisecond

// prune removes entries that are older than they are kept, a few at a time.
func (c *console) prune(ctx context.Context, pause time.Duration) error {
	if c.keep == 0 {
		return nil
	}
	var at store.Pruning
	for {
		more, err := c.store.PruneStep(ctx, c.keep, &at)
		if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
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
		return fmt.Errorf("--extra-endpoints: %w", err)
	}
	w, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	defer w.listener.Close() //nolint:errcheck // serving has closed it already
	c, unlock, err := openData(ctx, o, parts{regions: regions, options: o, config: config}, log)
	if err != nil {
		return err
	}
	defer unlock()
	address := w.url
	if config.publicURL != nil {
		address = config.publicURL.String()
	}
	return c.run(ctx, w, stdout, c.greeting(address))
}

// greeting says where the console is, and how the first person gets in.
func (c *console) greeting(address string) string {
	ready := "Callboard " + versionText() + " is ready at " + address
	if c.code == "" {
		return lines(ready)
	}
	return lines(ready, "Nobody can sign in yet. Open "+address+"/setup and enter this code.", "Setup code: "+c.code)
}

// openData opens database and key set, which belong together. What it made for nothing is gone again after an error.
func openData(ctx context.Context, o serveOptions, p parts, log *slog.Logger) (c *console, unlock func(), err error) {
	if p.database, err = o.databaseAddress(); err != nil {
		return nil, nil, err
	}
	if p.keys, err = o.givenKeys(); err != nil {
		return nil, nil, err
	}
	remove, err := makeFolder(o.Data)
	if err != nil {
		return nil, nil, err
	}
	unlock = func() {}
	if !store.IsPostgres(p.database) {
		if unlock, err = lockFolder(o.Data); err != nil {
			return nil, nil, err
		}
	}
	if c, err = openWithKeys(ctx, o, p, log); err != nil {
		unlock()
		remove()
		return nil, nil, err
	}
	return c, unlock, nil
}

// makeFolder makes the data folder where there is none; remove takes that back while the folder is empty.
func makeFolder(path string) (remove func(), err error) {
	remove = func() {}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		remove = func() { _ = os.Remove(path) }
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("--data: making the data folder: %w", err)
	}
	return remove, nil
}

// openWithKeys opens the database with the key set given, or with that of the file.
func openWithKeys(ctx context.Context, o serveOptions, p parts, log *slog.Logger) (*console, error) {
	made := ""
	if p.keys == nil {
		path := o.keysetPath()
		missing := notThere(path)
		if missing && !store.IsPostgres(p.database) && !notThere(p.database) {
			return nil, noKeys(path)
		}
		var err error
		if p.keys, err = store.LoadKeys(path, true); err != nil {
			return nil, fmt.Errorf("--keyset-file %s: %w", path, err)
		}
		if missing {
			made = path
		}
	}
	c, err := build(ctx, p, log)
	switch {
	case !errors.Is(err, store.ErrKeys):
		return c, err
	case made == "":
		return nil, errOtherKeys
	}
	// A PostgreSQL database shows only now that it has a key set already: leave nothing behind that looks right.
	return nil, errors.Join(noKeys(made), os.Remove(made))
}

var errOtherKeys = errors.New("the key set does not belong to this database; start with the key set that the database was made with (--keyset-file or CALLBOARD_KEYSET)")

// open opens a database that is there, with its key set; it makes neither. A console may be running on it.
func (o dataOptions) open(ctx context.Context, open func(context.Context, store.Options) (*store.Store, error)) (*store.Store, error) {
	if err := o.faults(); err != nil {
		return nil, err
	}
	address, err := o.databaseAddress()
	if err != nil {
		return nil, err
	}
	if !store.IsPostgres(address) && notThere(address) {
		return nil, fmt.Errorf("there is no database at %s; name its folder with --data, or another database with --database", address)
	}
	keys, err := o.givenKeys()
	if err != nil {
		return nil, err
	}
	if path := o.keysetPath(); keys == nil {
		if notThere(path) {
			return nil, noKeys(path)
		}
		if keys, err = store.LoadKeys(path, false); err != nil {
			return nil, fmt.Errorf("--keyset-file %s: %w", path, err)
		}
	}
	s, err := open(ctx, store.Options{Database: address, Keys: keys})
	if errors.Is(err, store.ErrKeys) {
		return nil, errOtherKeys
	}
	return s, err
}

// givenKeys is the key set that stands in the options themselves; nil when a file has it.
func (o dataOptions) givenKeys() (*store.Keys, error) {
	if o.Keyset == "" {
		return nil, nil
	}
	keys, err := store.ParseKeys([]byte(o.Keyset))
	if err != nil {
		return nil, fmt.Errorf("--keyset: %w", err)
	}
	return keys, nil
}

func (o dataOptions) keysetPath() string {
	if o.KeysetFile != "" {
		return o.KeysetFile
	}
	return filepath.Join(o.Data, "keyset.json")
}

func notThere(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

func noKeys(path string) error {
	return fmt.Errorf("there is a database but no key set at %s; without its key set the stored secrets cannot be read. Put the key set back, or name it with --keyset-file", path)
}

// databaseAddress is the PostgreSQL address, or the SQLite file in the data folder.
func (o dataOptions) databaseAddress() (string, error) {
	address := o.Database
	if o.DatabaseFile != "" {
		text, err := os.ReadFile(o.DatabaseFile)
		if err != nil {
			return "", fmt.Errorf("--database-file: reading the database address: %w", err)
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
		return nil, fmt.Errorf("--data: opening the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another console is running on the data folder %s; stop it first, or use PostgreSQL for several", folder)
	}
	return func() { _ = f.Close() }, nil
}
