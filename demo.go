package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"callboard/auth"
	"callboard/changes"
	"callboard/sandbox"
	"callboard/store"
	"callboard/tencent"
)

const demoAdmin = "administrator"

// demoApp is a sample app, and how it came to stand as it does.
type demoApp struct {
	id          int64
	name        string
	region      string
	environment string
	wrongKey    bool
}

var demoApps = []demoApp{
	{id: 20010452, name: "Aurora Stage", region: "sandbox-singapore", environment: store.Production},
	{id: 20010453, name: "Aurora Stage", region: "sandbox-singapore", environment: store.Staging},
	{id: 20010377, name: "Harbor Shop", region: "sandbox-singapore", environment: store.Production},
	{id: 20010655, name: "Fieldnotes", region: "sandbox-singapore", environment: store.Test},
	{id: 1400733901, name: "Night Market", region: "sandbox-china", environment: store.Production},
	{id: 20010619, name: "Cedar Classroom", region: "sandbox-usa", environment: store.Production, wrongKey: true},
	{id: 20010712, name: "Tidepool", region: "sandbox-usa", environment: store.Staging},
}

// demoKey is the secret key of a sample app. It protects nothing and is the same on every machine.
func demoKey(id int64) string {
	sum := sha256.Sum256([]byte("callboard sample app " + strconv.FormatInt(id, 10)))
	return hex.EncodeToString(sum[:])
}

// runDemo runs a complete copy on loopback.
func runDemo(ctx context.Context, o demoOptions, log *slog.Logger, stdout io.Writer) error {
	z, err := zone(o.TimeZone)
	if err != nil {
		return err
	}
	if o.Password != "" {
		if _, err := auth.HashPassword(ctx, o.Password); err != nil {
			return fmt.Errorf("--password: %w", err)
		}
	}
	folder, remove, err := demoFolder(o.Data)
	if err != nil {
		return err
	}
	defer remove()
	unlock, err := lockFolder(folder)
	if err != nil {
		return err
	}
	defer unlock()
	if err := markTemporary(o.Data, folder); err != nil {
		return err
	}
	w, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	defer w.listener.Close()             //nolint:errcheck // serving has closed it already
	box, err := startDemoSandbox(folder) //nolint:contextcheck // listening on loopback takes no time
	if err != nil {
		return err
	}
	defer closeSandbox(ctx, box, log)
	c, err := openDemo(ctx, folder, box, z, log)
	if err != nil {
		return err
	}
	passwords, err := demoUsers(ctx, c.store, o.Password)
	if err != nil {
		return errors.Join(err, c.close())
	}
	return c.run(ctx, w, stdout, lines("Callboard demo: "+w.url, "", passwords, "Sandbox, played API: "+box.APIURL(),
		"Sandbox, controls:   "+box.ControlURL(), "", "Nothing here talks to Tencent. Stop with Ctrl+C."))
}

// Files of a demo's folder. The note tells it from the folder of a real console.
const (
	demoDatabase = "callboard.db"
	demoNote     = "sample-data"
	demoMaking   = "making" // folder of a database whose sample data is not complete
)

// demoFolder is the folder to keep, or a temporary one. It refuses that of a real console, which is no place for sample users.
func demoFolder(data string) (folder string, remove func(), err error) {
	if data == "" {
		removeLeftOver()
		folder, err = os.MkdirTemp("", demoPrefix)
		return folder, func() { _ = os.RemoveAll(folder) }, err
	}
	if !notThere(filepath.Join(data, demoDatabase)) && notThere(filepath.Join(data, demoNote)) {
		return "", nil, fmt.Errorf("--data: %s is the folder of a real console; choose another for the demo", data)
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", nil, fmt.Errorf("--data: making the folder: %w", err)
	}
	return data, func() {}, nil
}

// demoPrefix begins the names of temporary folders; demoMarker in one says that it may be removed once nobody runs on it.
const (
	demoPrefix = "callboard-demo-"
	demoMarker = "temporary-demo"
)

var demoName = regexp.MustCompile(`^` + demoPrefix + `[0-9]+$`)

// markTemporary marks a folder that nobody asked to keep. It comes after the lock, so that a marked folder without one
// is left over.
func markTemporary(data, folder string) error {
	if data != "" {
		return nil
	}
	return os.WriteFile(filepath.Join(folder, demoMarker), []byte("A demo removes this folder when it stops.\n"), 0o600)
}

// removeLeftOver removes the temporary folders of demos that were killed. What cannot be removed stays.
func removeLeftOver() {
	list, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, e := range list {
		folder := filepath.Join(os.TempDir(), e.Name())
		marker, err := os.Lstat(filepath.Join(folder, demoMarker))
		if !e.IsDir() || !demoName.MatchString(e.Name()) || err != nil || !marker.Mode().IsRegular() {
			continue
		}
		if unlock, err := lockFolder(folder); err == nil {
			_ = os.RemoveAll(folder)
			unlock()
		}
	}
}

func startDemoSandbox(folder string) (*sandbox.Server, error) {
	o := sandbox.Options{File: filepath.Join(folder, "sandbox.json")}
	for _, a := range demoApps {
		o.Apps = append(o.Apps, sandbox.App{SDKAppID: a.id, Key: demoKey(a.id), Admins: []string{demoAdmin}})
	}
	box, err := sandbox.New(o)
	if err != nil {
		return nil, err
	}
	if err := box.Start("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	return box, nil
}

func closeSandbox(ctx context.Context, box *sandbox.Server, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := box.Close(ctx); err != nil {
		log.Error("the sandbox did not stop cleanly", "err", err)
	}
}

// openDemo opens the demo's database; a new one gets sample apps with some past first.
func openDemo(ctx context.Context, folder string, box *sandbox.Server, z *time.Location, log *slog.Logger) (*console, error) {
	regions, err := demoRegions(box.APIURL())
	if err != nil {
		return nil, err
	}
	fresh := notThere(filepath.Join(folder, demoDatabase))
	keys, err := store.LoadKeys(filepath.Join(folder, "keyset.json"), fresh)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := makeSampleData(ctx, folder, keys, box, regions); err != nil {
			return nil, fmt.Errorf("making the sample data: %w", err)
		}
	}
	o := serveOptions{dataOptions: dataOptions{Data: folder}, WatchEvery: time.Hour, Retention: 400 * 24 * time.Hour, SessionIdle: 12 * time.Hour, SessionMax: 24 * time.Hour}
	return build(ctx, parts{database: filepath.Join(folder, demoDatabase), keys: keys, regions: regions, sandbox: true, options: o, config: serveConfig{zone: z}}, log)
}

// demoRegions are the sandbox under three names, and none of Tencent's own hosts.
func demoRegions(api string) (*tencent.Directory, error) {
	var extra []string
	for _, name := range []string{"sandbox-singapore", "sandbox-china", "sandbox-usa"} {
		extra = append(extra, name+"="+api)
	}
	all, err := tencent.NewDirectory(strings.Join(extra, ","))
	if err != nil {
		return nil, err
	}
	return all.OnlyExtra(), nil
}

// demoUsers gives each sample user a password and says which.
func demoUsers(ctx context.Context, s *store.Store, password string) (string, error) {
	var out []string
	for _, name := range []string{store.Admin, store.Operator, store.Support} {
		chosen := password
		if chosen == "" {
			chosen = strings.ToLower(auth.NewCode())
		}
		if err := demoUser(ctx, s, name, chosen); err != nil {
			return "", err
		}
		out = append(out, fmt.Sprintf("  %-9s password %s", name, chosen))
	}
	return strings.Join(out, "\n") + "\n", nil
}

func demoUser(ctx context.Context, s *store.Store, name, password string) error {
	u, err := s.UserByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		hash, err := auth.HashPassword(ctx, password)
		if err != nil {
			return err
		}
		_, err = s.AddUser(ctx, store.Console, store.NewUser{Name: name, Password: hash, Role: name})
		return err
	}
	if err != nil {
		return err
	}
	// The same password again keeps the sessions of the last run alive.
	if same, err := auth.CheckPassword(ctx, password, u.Password); err != nil || same {
		return err
	}
	hash, err := auth.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	return s.SetPassword(ctx, store.Console, u.ID, u.Password, hash, "")
}

// makeSampleData makes the sample apps and their past by the same acts that people do. The database gets its name when
// it is complete, so a demo that was killed here begins anew.
func makeSampleData(ctx context.Context, folder string, keys *store.Keys, box *sandbox.Server, regions *tencent.Directory) error {
	making := filepath.Join(folder, demoMaking)
	if err := errors.Join(os.RemoveAll(making), os.Mkdir(making, 0o700)); err != nil {
		return err
	}
	for _, a := range demoApps {
		box.SetCallback(a.id, nil)
	}
	database := filepath.Join(making, demoDatabase)
	if err := seedDemo(ctx, database, keys, box, regions); err != nil {
		return err
	}
	note := []byte("This is the folder of a demo. Remove it to start anew.\n")
	if err := os.WriteFile(filepath.Join(folder, demoNote), note, 0o600); err != nil {
		return err
	}
	return errors.Join(os.Rename(database, filepath.Join(folder, demoDatabase)), os.RemoveAll(making))
}

func seedDemo(ctx context.Context, database string, keys *store.Keys, box *sandbox.Server, regions *tencent.Directory) error {
	d := &seeder{box: box, now: time.Now().Add(-9 * 24 * time.Hour)}
	clock := func() time.Time { return d.now }
	var err error
	if d.store, err = store.Open(ctx, store.Options{Database: database, Keys: keys, Clock: clock}); err != nil {
		return err
	}
	client := tencent.New(tencent.Options{Now: clock})
	defer client.Close()
	d.changes = changes.New(changes.Options{Store: d.store, Client: client, Regions: regions, Clock: clock})
	err = d.seed(ctx)
	d.changes.Close(ctx)
	return errors.Join(err, d.store.Close())
}

// seeder lives in the past and comes forward.
type seeder struct {
	store   *store.Store
	changes *changes.Service
	box     *sandbox.Server
	now     time.Time
	err     error
}

var (
	mei   = store.Actor{Kind: store.PersonActor, UserID: 0, Name: "Mei", Role: store.Admin, Address: "127.0.0.1"}
	jonas = store.Actor{Kind: store.PersonActor, UserID: 0, Name: "Jonas", Role: store.Operator, Address: "127.0.0.1"}
)

const (
	created    = "Live.CallbackAfterCreateRoom"
	destroyed  = "Live.CallbackAfterDestroyRoom"
	updated    = "Live.CallbackAfterUpdateRoomInfo"
	members    = "Live.CallbackAfterMemberStateChanged"
	seats      = "Mic.CallbackAfterSeatInfoChanged"
	gift       = "Live.CallbackBeforeSendGift"
	messages   = "Group.CallbackAfterSendMsg"
	pinned     = "Live.CallbackAfterPinNotice" // not in our list
	recordings = "Live.CallbackAfterCloudRecordingChanged"
)

func (d *seeder) seed(ctx context.Context) error {
	for _, a := range demoApps {
		key := demoKey(a.id)
		if a.wrongKey {
			key = demoKey(0)
		}
		d.check(d.store.AddApp(ctx, mei, store.AppSettings{SDKAppID: a.id, Name: a.name, Region: a.region, Identifier: demoAdmin, Environment: a.environment, Secret: key}))
	}
	d.box.SetCallback(1400733901, &sandbox.Callback{Url: "https://hooks.example.com/night-market", CallbackCommandList: []string{created, destroyed, members, pinned}})
	d.later(time.Hour)
	d.look(ctx, 1400733901)

	d.change(ctx, mei, 20010452, "First callback of the show", "https://hooks.example.com/live/aurora", created, destroyed, members, messages)
	d.later(3 * time.Hour)
	d.change(ctx, jonas, 20010377, "Shop events for the order service", "https://shop-live.example.com/trtc/events", created, destroyed, gift)
	d.later(26 * time.Hour)
	d.change(ctx, mei, 20010453, "Staging copy of the show", "https://staging.example.com/live/aurora", created, destroyed, updated, members, seats)
	d.later(20 * time.Hour)
	d.change(ctx, jonas, 20010712, "Trial of the new receiver", "http://tide.example.net:8080/in", created, destroyed)
	d.later(31 * time.Hour)
	d.refuse(ctx, jonas, 1400733901, "Start keeping recordings")
	d.later(22 * time.Hour)
	d.change(ctx, mei, 1400733901, "Follow the seats on stage", "https://hooks.example.com/night-market", created, destroyed, members, seats, pinned)
	d.later(28 * time.Hour)
	d.change(ctx, mei, 20010452, "Check gifts before they are shown", "https://hooks.example.com/live/aurora", created, destroyed, updated, members, messages, gift)

	d.now = time.Now().Add(-5 * time.Hour)
	d.box.SetCallback(20010377, &sandbox.Callback{Url: "https://shop-live.example.com/trtc/events", CallbackCommandList: []string{created, messages}})
	for i, a := range demoApps {
		d.now = time.Now().Add(time.Duration(i-len(demoApps)) * time.Minute)
		d.look(ctx, a.id)
	}
	return d.err
}

func (d *seeder) later(by time.Duration) { d.now = d.now.Add(by) }

func (d *seeder) check(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *seeder) look(ctx context.Context, id int64) changes.View {
	v, err := d.changes.Look(ctx, store.Console, id)
	d.check(err)
	return v
}

// change plans and applies like a person who has ticked every box.
func (d *seeder) change(ctx context.Context, a store.Actor, id int64, reason, url string, words ...string) {
	v := d.look(ctx, id)
	if v.Reading == nil {
		d.check(fmt.Errorf("the sample app %d could not be read", id))
		return
	}
	opened := d.now.UnixMilli()
	d.later(2 * time.Minute)
	plan, err := d.changes.MakePlan(ctx, a, changes.Proposal{SDKAppID: id, Reading: v.Reading.ID, OpenedAt: opened, URL: url, Commands: words, Reason: reason})
	if err != nil {
		d.check(err)
		return
	}
	full, err := d.changes.Plan(ctx, id, plan.ID)
	if err != nil {
		d.check(err)
		return
	}
	d.later(40 * time.Second)
	number, err := d.changes.Apply(ctx, a, id, plan.ID, changes.Ticks(full.Consequences))
	d.check(err)
	d.later(time.Second)
	d.check(d.changes.ReadBackNow(ctx, number))
}

// refuse lets one change be turned down, as by an app whose package has run out.
func (d *seeder) refuse(ctx context.Context, a store.Actor, id int64, reason string) {
	c, _ := d.box.Callback(id)
	d.box.Script(sandbox.Fault{SDKAppID: id, Command: string(tencent.CallUpdateCallback), Code: 60020, Info: "package expired"})
	d.change(ctx, a, id, reason, c.Url, append(c.CallbackCommandList, recordings)...)
}

// runSandbox runs the played API alone.
func runSandbox(ctx context.Context, o sandboxOptions, log *slog.Logger, stdout io.Writer) error {
	so := sandbox.Options{File: o.Data}
	for _, text := range o.App {
		a, err := sandboxApp(text)
		if err != nil {
			return err
		}
		so.Apps = append(so.Apps, a)
	}
	box, err := sandbox.New(so)
	if err != nil {
		return err
	}
	if err := box.Start(o.Listen, o.Control); err != nil { //nolint:contextcheck // listening on loopback takes no time
		return fmt.Errorf("--listen or --control: %w", err)
	}
	defer closeSandbox(ctx, box, log)
	if _, err := io.WriteString(stdout, lines("Played API: "+box.APIURL(), "Controls:   "+box.ControlURL())); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func sandboxApp(text string) (sandbox.App, error) {
	part := strings.SplitN(text, ":", 3)
	if len(part) == 3 {
		if id, err := strconv.ParseInt(part[0], 10, 64); err == nil && part[1] != "" && part[2] != "" {
			return sandbox.App{SDKAppID: id, Key: part[1], Admins: []string{part[2]}}, nil
		}
	}
	return sandbox.App{}, errors.New("--app is sdkappid:key:admin")
}
