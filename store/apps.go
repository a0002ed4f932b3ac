package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// App is one Tencent application and what the console knows of it. The secret key is not part of it; see AppWithSecret.
type App struct {
	SDKAppID    int64
	Name        string
	Region      string
	Identifier  string
	Environment string
	Version     int64 // counts edits; an edit names the version that it was made on
	SecretSetAt int64
	CreatedAt   int64
	ArchivedAt  int64 // 0: not archived

	Record        string // digest of our record, "" while there is none
	RecordNumber  int64  // the entry that made it, 0 for the first reading
	RecordMadeAt  int64
	RecordVersion int64 // counts the records of this app, so that a reading can tell whether ours moved under it

	ReadingID   int64 // the current interval, 0 while never read
	ReadAt      int64 // the last successful read
	Drift       int64 // the open drift entry, 0 for none
	FailedAt    int64 // the last read when it failed, 0 when it did not
	FailedCode  *int64
	FailedFault string

	LastNumber int64 // the newest entry, 0 for none
	Watched    bool  // read on a schedule
}

// Environments of apps.
const (
	Production = "production"
	Staging    = "staging"
	Test       = "test"
)

// AppSettings are what an administrator enters; Secret "" keeps the stored one when editing.
type AppSettings struct {
	SDKAppID    int64
	Name        string
	Region      string
	Identifier  string
	Environment string
	Secret      string
}

// ErrRegionLocked says that the region of an app, or its archiving, waits for an open change.
var ErrRegionLocked = errors.New("locked while a change is open")

// AddApp adds an app; ErrDuplicate when its SDKAppID is known already.
func (s *Store) AddApp(ctx context.Context, a Actor, n AppSettings) error {
	return s.sealing(ctx, func(t *tx) error {
		sealed, err := t.seal(appSecrets, n.SDKAppID, []byte(n.Secret))
		if err != nil {
			return err
		}
		t.queue(`INSERT INTO apps (sdkappid, name, region, identifier, environment, secret, secret_set_at, version, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $7)`, n.SDKAppID, n.Name, n.Region, n.Identifier, n.Environment, sealed, t.now)
		if err := t.flush(); s.dialect.isUnique(err) {
			return ErrDuplicate
		} else if err != nil {
			return err
		}
		return t.audit(a, "app.added", appTarget(n.SDKAppID), settingsDetail(n))
	})
}

// UpdateApp edits an app. ErrMoved: somebody saved another version meanwhile. ErrRegionLocked: a change is open.
func (s *Store) UpdateApp(ctx context.Context, a Actor, version int64, n AppSettings) error {
	return s.sealing(ctx, func(t *tx) error {
		var old, region string
		err := t.row(`UPDATE apps SET version = version + 1 WHERE sdkappid = $1 AND version = $2 RETURNING name, region`, n.SDKAppID, version).Scan(&old, &region)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrMoved
		}
		if err != nil {
			return err
		}
		if n.Region != region {
			if err := t.noOpenChange(n.SDKAppID); err != nil {
				return err
			}
		}
		t.queueOne(`UPDATE apps SET name = $1, region = $2, identifier = $3, environment = $4 WHERE sdkappid = $5`,
			n.Name, n.Region, n.Identifier, n.Environment, n.SDKAppID)
		if err := t.replaceSecret(n); err != nil {
			return err
		}
		return t.audit(a, "app.edited", appTarget(n.SDKAppID), settingsDetail(n))
	})
}

func (t *tx) replaceSecret(n AppSettings) error {
	if n.Secret == "" {
		return nil
	}
	sealed, err := t.seal(appSecrets, n.SDKAppID, []byte(n.Secret))
	if err != nil {
		return err
	}
	t.queueOne(`UPDATE apps SET secret = $1, secret_set_at = $2 WHERE sdkappid = $3`, sealed, t.now, n.SDKAppID)
	return nil
}

// ArchiveApp puts an app away, or takes it back with archived false. ErrRegionLocked while a change is open.
func (s *Store) ArchiveApp(ctx context.Context, a Actor, sdkappid int64, archived bool) error {
	act, at := "app.taken_back", sql.NullInt64{}
	return s.write(ctx, func(t *tx) error {
		if archived {
			act, at = "app.archived", sql.NullInt64{Int64: t.now, Valid: true}
		}
		if err := t.one(`UPDATE apps SET archived_at = $1, version = version + 1 WHERE sdkappid = $2`, at, sdkappid); errors.Is(err, ErrMoved) {
			return ErrNotFound
		} else if err != nil {
			return err
		}
		if err := t.noOpenChange(sdkappid); err != nil {
			return err
		}
		return t.audit(a, act, appTarget(sdkappid), nil)
	})
}

func (t *tx) noOpenChange(sdkappid int64) error {
	number, err := t.openChange(sdkappid)
	if err == nil && number != 0 {
		return ErrRegionLocked
	}
	return err
}

// openChange returns the number of the app's open change, 0 for none.
func (t *tx) openChange(sdkappid int64) (int64, error) {
	var number int64
	err := t.row(`SELECT number FROM changes WHERE sdkappid = $1 AND `+stillOpen, sdkappid).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return number, err
}

// AppWithSecret returns one app, archived ones too, and decrypts its secret key, for signing alone. ErrKeys comes with the
// app.
func (s *Store) AppWithSecret(ctx context.Context, sdkappid int64) (a App, secret string, err error) {
	var sealed []byte
	if _, err := found(a, s.row(ctx, `SELECT `+appColumns+`, apps.secret FROM apps WHERE apps.sdkappid = $1`, sdkappid).Scan(append(a.fields(), &sealed)...)); err != nil {
		return App{}, "", err
	}
	key, err := s.unseal(appSecrets, sdkappid, sealed)
	return a, string(key), err
}

// App returns one app, archived ones too.
func (s *Store) App(ctx context.Context, sdkappid int64) (App, error) {
	return found(scanApp(s.row(ctx, `SELECT `+appColumns+` FROM apps WHERE apps.sdkappid = $1`, sdkappid)))
}

// stillOpen finds an app's open change in the index of open changes. Every one has an attempt: without that condition PostgreSQL
// takes the app's own index, which has all that is asked for, and reads through every entry of the app.
const stillOpen = `settled IS NULL AND outcome IN ('pending', 'unknown') AND attempt IS NOT NULL`

// openOfApp is the number of an app's open change, 0 for none.
const openOfApp = `COALESCE((SELECT number FROM changes WHERE changes.sdkappid = apps.sdkappid AND ` + stillOpen + `), 0)`

// AppWithOpen returns one app, archived ones too, and the number of its open change, 0 for none.
func (s *Store) AppWithOpen(ctx context.Context, sdkappid int64) (a App, open int64, err error) {
	_, err = found(a, s.row(ctx, `SELECT `+appColumns+`, `+openOfApp+` FROM apps WHERE apps.sdkappid = $1`, sdkappid).Scan(append(a.fields(), &open)...))
	return a, open, err
}

const lockedApp = `SELECT ` + appColumns + ` FROM apps WHERE apps.sdkappid = $1{lock}`

// app reads an app and keeps other writers off it until the commit.
func (t *tx) app(sdkappid int64) (App, error) {
	return found(scanApp(t.row(lockedApp, sdkappid)))
}

// AppRow is an app as lists show it.
type AppRow struct {
	App
	RowVersion int64          // what has this in common with SDKAppID has the same App and Current
	Current    *Configuration // the current reading, nil while never read
	// Whose change is open, else who made our record, and when; nobody while it is the first reading.
	LastWho     string
	LastActor   string
	LastAt      int64
	Open        int64 // the open change, 0 for none
	OpenOutcome string
}

// beginning is who began an entry and when, which never changes.
type beginning struct {
	who, actor string
	at         int64
}

// Apps lists apps that are not archived, or only archived ones, by name.
func (s *Store) Apps(ctx context.Context, archived bool) ([]AppRow, error) {
	apps, err := s.apps.list(ctx, s, ` WHERE `+appsListed+inOrder, flag(archived))
	if err != nil {
		return nil, err
	}
	list := make([]AppRow, len(apps))
	for i := range apps {
		list[i].App, list[i].RowVersion = apps[i].value, apps[i].version
	}
	open, err := s.openChanges(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Open, list[i].OpenOutcome = open[list[i].SDKAppID].number, open[list[i].SDKAppID].outcome
	}
	if err := s.addBeginnings(ctx, list, archived); err != nil {
		return nil, err
	}
	return list, s.addCurrent(ctx, list, archived)
}

// memoOfApps lists apps from memory.
func memoOfApps() rowMemo[App] {
	return rowMemo[App]{table: "apps", id: "apps.sdkappid", columns: appColumns, fields: (*App).fields, kept: newMemo[int64, versioned[App]](keptApps)}
}

// inOrder is the order of lists of apps.
const inOrder = ` ORDER BY lower(apps.name), apps.sdkappid`

// appsListed selects archived apps for 1, the others for 0.
const appsListed = `CASE WHEN apps.archived_at IS NULL THEN 0 ELSE 1 END = $1`

// openState selects open changes by the index of states.
const openState = `COALESCE(settled, outcome) IN ('pending', 'unknown')`

// openChange is a change that is not finished.
type openChange struct {
	sdkappid, number int64
	outcome          string
}

// openChanges are the open changes by app. They are few, and each is the only one of its app.
func (s *Store) openChanges(ctx context.Context) (map[int64]openChange, error) {
	list, err := all(ctx, s, func(r scanner) (openChange, error) {
		var c openChange
		return c, r.Scan(&c.sdkappid, &c.number, &c.outcome)
	}, `SELECT sdkappid, number, outcome FROM changes WHERE `+openState)
	byApp := make(map[int64]openChange, len(list))
	for _, c := range list {
		byApp[c.sdkappid] = c
	}
	return byApp, err
}

// addBeginnings says who made our records, or began what is open. Where memory lacks one, all are read anew: a join for
// every page takes longer than the rest of the list.
func (s *Store) addBeginnings(ctx context.Context, list []AppRow, archived bool) error {
	if len(s.beginnings(list)) == 0 {
		return nil
	}
	read := func(r scanner) (struct{}, error) {
		var number int64
		var b beginning
		if err := r.Scan(&number, &b.who, &b.actor, &b.at); err != nil {
			return struct{}{}, err
		}
		s.begun.keep(number, b)
		return struct{}{}, nil
	}
	const columns = `SELECT changes.number, changes.who, changes.actor, changes.started_at FROM `
	if _, err := all(ctx, s, read, columns+`apps JOIN changes ON changes.number = apps.record_number WHERE `+appsListed, flag(archived)); err != nil {
		return err
	}
	if _, err := all(ctx, s, read, columns+`changes WHERE `+openState); err != nil {
		return err
	}
	for _, i := range s.beginnings(list) { // began or ended meanwhile
		a := &list[i]
		err := s.row(ctx, `SELECT who, actor, started_at FROM changes WHERE number = $1`, a.last()).Scan(&a.LastWho, &a.LastActor, &a.LastAt)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return unavailable(err)
		}
	}
	return nil
}

// last is the number of the open change, else of the entry that made our record, 0 for neither.
func (a AppRow) last() int64 {
	if a.Open != 0 {
		return a.Open
	}
	return a.RecordNumber
}

// beginnings gives the places of those that memory lacked.
func (s *Store) beginnings(list []AppRow) (missing []int) {
	for i := range list {
		a := &list[i]
		if a.last() == 0 {
			continue
		}
		b, known := s.begun.find(a.last())
		a.LastWho, a.LastActor, a.LastAt = b.who, b.actor, b.at
		if !known {
			missing = append(missing, i)
		}
	}
	return missing
}

// addCurrent says what Tencent had at the last reading. A reading keeps its configuration, so memory has most.
func (s *Store) addCurrent(ctx context.Context, list []AppRow, archived bool) error {
	for i := range list {
		if list[i].ReadingID == 0 {
			continue
		}
		digest, known := s.read.find(list[i].ReadingID)
		if !known {
			if err := s.readReadings(ctx, archived); err != nil {
				return err
			}
			digest, known = s.read.find(list[i].ReadingID)
		}
		if !known { // another reading began meanwhile
			if err := s.row(ctx, `SELECT digest FROM readings WHERE id = $1`, list[i].ReadingID).Scan(&digest); err != nil {
				return unavailable(err)
			}
		}
		var err error
		if list[i].Current, err = s.configurationOf(ctx, digest); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readReadings(ctx context.Context, archived bool) error {
	_, err := all(ctx, s, func(r scanner) (struct{}, error) {
		var id int64
		var digest string
		if err := r.Scan(&id, &digest); err != nil {
			return struct{}{}, err
		}
		s.read.keep(id, digest)
		return struct{}{}, nil
	}, `SELECT readings.id, readings.digest FROM apps JOIN readings ON readings.id = apps.reading_id WHERE `+appsListed, flag(archived))
	return err
}

// CountArchived counts the apps that were put away.
func (s *Store) CountArchived(ctx context.Context) (int, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM apps WHERE archived_at IS NOT NULL`).Scan(&n)
	return n, unavailable(err)
}

// Attention counts what the header of every page shows.
type Attention struct{ Unknown, Drifted int }

// Attention counts open unknown changes and drifted apps.
func (s *Store) Attention(ctx context.Context) (Attention, error) {
	var n Attention
	err := s.row(ctx, `SELECT
		(SELECT COUNT(*) FROM changes WHERE COALESCE(settled, outcome) = 'unknown'),
		(SELECT COUNT(*) FROM apps WHERE drifted <> 0 AND archived_at IS NULL)`).Scan(&n.Unknown, &n.Drifted)
	return n, unavailable(err)
}

const appColumns = `apps.sdkappid, apps.name, apps.region, apps.identifier, apps.environment, apps.version, apps.secret_set_at, apps.created_at,
	COALESCE(apps.archived_at, 0), COALESCE(apps.record_digest, ''), COALESCE(apps.record_number, 0), COALESCE(apps.record_made_at, 0), apps.record_version,
	COALESCE(apps.reading_id, 0), COALESCE(apps.read_at, 0), apps.drifted, COALESCE(apps.failed_at, 0), apps.failed_code, apps.failed_fault, COALESCE(apps.last_number, 0), apps.watched = 1`

func (a *App) fields() []any {
	return []any{&a.SDKAppID, &a.Name, &a.Region, &a.Identifier, &a.Environment, &a.Version, &a.SecretSetAt, &a.CreatedAt,
		&a.ArchivedAt, &a.Record, &a.RecordNumber, &a.RecordMadeAt, &a.RecordVersion,
		&a.ReadingID, &a.ReadAt, &a.Drift, &a.FailedAt, &a.FailedCode, &a.FailedFault, &a.LastNumber, &a.Watched}
}

func scanApp(r scanner) (App, error) {
	var a App
	err := r.Scan(a.fields()...)
	return a, err
}

func appTarget(sdkappid int64) string { return fmt.Sprintf("app %d", sdkappid) }

// settingsDetail is what the audit keeps of an edit: everything but the secret.
func settingsDetail(n AppSettings) map[string]any {
	return map[string]any{"name": n.Name, "region": n.Region, "identifier": n.Identifier, "environment": n.Environment, "secret_replaced": n.Secret != ""}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
