package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"callboard/store"
	"callboard/store/storetest"
)

func TestApps(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(aurora, "Aurora")))
		if err := f.AddApp(ctx(t), mei, settings(aurora, "Other")); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("an app a second time: %v", err)
		}
		want := store.App{SDKAppID: aurora, Name: "Aurora", Region: "singapore", Identifier: "administrator", Environment: store.Production, Version: 1, SecretSetAt: start, CreatedAt: start, Watched: true}
		same(t, "a new app", want, f.app(aurora))

		f.later(minute)
		edit := settings(aurora, "Aurora 2")
		edit.Region, edit.Identifier, edit.Environment, edit.Secret = "china", "boss", store.Staging, ""
		f.must(f.UpdateApp(ctx(t), mei, 1, edit))
		want.Name, want.Region, want.Identifier, want.Environment, want.Version = "Aurora 2", "china", "boss", store.Staging, 2
		same(t, "edited, secret kept", want, f.app(aurora))
		f.secret(aurora, "k3y")

		if err := f.UpdateApp(ctx(t), mei, 1, edit); !errors.Is(err, store.ErrMoved) {
			t.Errorf("an edit of an old version: %v", err)
		}
		edit.Secret = "new"
		f.must(f.UpdateApp(ctx(t), mei, 2, edit))
		want.SecretSetAt, want.Version = start+minute, 3
		same(t, "secret replaced", want, f.app(aurora))
		f.secret(aurora, "new")

		for name, err := range map[string]error{
			"edit": f.UpdateApp(ctx(t), mei, 1, settings(borea, "x")), "archive": f.ArchiveApp(ctx(t), mei, borea, true), "read": one(f.App(ctx(t), borea)),
			"keep a reading": one(f.KeepReading(ctx(t), mei, store.NewReading{SDKAppID: borea, Configuration: confA})), "watch": f.SetWatched(ctx(t), mei, borea, true),
		} {
			wanted := store.ErrNotFound
			if name == "edit" {
				wanted = store.ErrMoved
			}
			if !errors.Is(err, wanted) {
				t.Errorf("%s no app: %v", name, err)
			}
		}
		same(t, "audit", []string{"app.added", "app.edited", "app.edited"}, f.acts(0))
		f.intact()
	})
}

func one[T any](_ T, err error) error { return err }

func (f fixture) secret(sdkappid int64, want string) {
	f.t.Helper()
	_, got, err := f.AppWithSecret(ctx(f.t), sdkappid)
	f.must(err)
	same(f.t, "secret", want, got)
}

func TestRegionAndArchivingWaitForAnOpenChange(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.opened(confB)
		moved, renamed := settings(aurora, "Aurora"), settings(aurora, "Renamed")
		moved.Region = "china"
		before := f.dump()
		for _, outcome := range []string{store.Pending, store.Unknown} {
			if err := f.UpdateApp(ctx(t), mei, f.app(aurora).Version, moved); !errors.Is(err, store.ErrRegionLocked) {
				t.Errorf("%s: the region moved: %v", outcome, err)
			}
			if err := f.ArchiveApp(ctx(t), mei, aurora, true); !errors.Is(err, store.ErrRegionLocked) {
				t.Errorf("%s: archived: %v", outcome, err)
			}
			same(t, "every row", before, f.dump())
			f.must(f.UpdateApp(ctx(t), mei, f.app(aurora).Version, renamed))
			if outcome == store.Pending {
				f.end(n, ending(store.Unknown))
			}
			before = f.dump()
		}
		f.must(f.Settle(ctx(t), mei, n, store.Settlement{Settled: store.NotApplied}))
		f.must(f.UpdateApp(ctx(t), mei, f.app(aurora).Version, moved))
		f.later(5)
		f.must(f.ArchiveApp(ctx(t), mei, aurora, true))
		same(t, "archived at", int64(start+5), f.app(aurora).ArchivedAt)
		p := newPlan(aurora, "late")
		if _, _, err := f.OpenChange(ctx(t), mei, intent(p, 9)); !errors.Is(err, store.ErrArchived) {
			t.Errorf("a change of an archived app: %v", err)
		}
		same(t, "listed", []int64{0, 1}, []int64{f.listed(false), f.listed(true)})
		f.must(f.ArchiveApp(ctx(t), mei, aurora, false))
		same(t, "taken back", int64(0), f.app(aurora).ArchivedAt)
		same(t, "listed", []int64{1, 0}, []int64{f.listed(false), f.listed(true)})
	})
}

func (f fixture) listed(archived bool) int64 {
	f.t.Helper()
	list, err := f.Apps(ctx(f.t), archived)
	f.must(err)
	if archived {
		n, err := f.CountArchived(ctx(f.t))
		f.must(err)
		same(f.t, "archived apps, counted", len(list), n)
	}
	return int64(len(list))
}

func TestAppsList(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(3, "aardvark")))
		f.must(f.AddApp(ctx(t), mei, settings(2, "Zebra")))
		f.must(f.AddApp(ctx(t), mei, settings(1, "Zebra")))
		f.applied(confB)
		f.later(minute)
		open := f.unknown(confC)
		f.read(3, store.None)
		list, err := f.Apps(ctx(t), false)
		f.must(err)
		want := []store.AppRow{
			{App: f.app(3), Current: &store.None},
			{App: f.app(aurora), Current: &confA, LastWho: "Mei", LastActor: store.PersonActor, LastAt: start + minute, Open: open, OpenOutcome: store.Unknown},
			{App: f.app(1)}, {App: f.app(2)},
		}
		same(t, "apps by name", want, list, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.AppRow{}, "RowVersion"), configurations)
		n, err := f.Attention(ctx(t))
		f.must(err)
		same(t, "attention", store.Attention{Unknown: 1}, n)
		f.read(3, confA)
		f.must(f.Settle(ctx(t), mei, open, store.Settlement{Settled: store.Overtaken}))
		n, err = f.Attention(ctx(t))
		f.must(err)
		same(t, "attention to a drift", store.Attention{Drifted: 1}, n)
		f.must(f.ArchiveApp(ctx(t), mei, 3, true))
		n, err = f.Attention(ctx(t))
		f.must(err)
		same(t, "attention without archived apps", store.Attention{}, n)
	})
}

func TestReadings(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(aurora, "Aurora")))
		if _, err := f.CurrentReading(ctx(t), aurora); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the reading of an app never read: %v", err)
		}
		first := f.read(aurora, confA)
		same(t, "first reading", store.Reading{ID: first.ID, SDKAppID: aurora, Configuration: confA, FirstSeen: start, LastSeen: start, RequestID: "Id-read"}, first, configurations)
		a := f.app(aurora)
		same(t, "it becomes our record", []any{confA.Digest(), int64(0), int64(start), int64(1), first.ID, int64(start)}, []any{a.Record, a.RecordNumber, a.RecordMadeAt, a.RecordVersion, a.ReadingID, a.ReadAt})

		f.later(minute)
		again := f.read(aurora, confA)
		want := first
		want.LastSeen = start + minute
		same(t, "seen again", want, again, configurations)

		f.later(minute)
		f.must(f.ReadingFailed(ctx(t), aurora, ptr[int64](60008), "timeout"))
		a = f.app(aurora)
		same(t, "a failed read", []any{int64(start + 2*minute), int64(60008), "timeout", int64(start + minute)}, []any{a.FailedAt, *a.FailedCode, a.FailedFault, a.ReadAt})

		f.later(minute)
		second := f.read(aurora, store.None)
		a = f.app(aurora)
		same(t, "a read that succeeds", []any{int64(0), true, "", second.ID, second.Drift}, []any{a.FailedAt, a.FailedCode == nil, a.FailedFault, a.ReadingID, a.Drift})
		if second.ID == first.ID || second.FirstSeen != start+3*minute || second.Drift == 0 {
			t.Errorf("another interval: %+v", second)
		}
		drift := f.change(second.Drift)
		same(t, "drift entry", store.Change{Number: second.Drift, Kind: store.KindDrift, SDKAppID: aurora, App: "Aurora", Environment: store.Production, Region: "singapore", Host: "h.example", Call: "get_callback",
			Actor: store.Console, Summary: "{}", Previous: confA.Digest(), Found: store.None.Digest(), StartedAt: start + 3*minute, DurationMS: ptr[int64](12), ActionStatus: "OK", ErrorCode: ptr[int64](0), RequestID: "Id-read"}, drift)
		same(t, "one entry per interval", second.Drift, f.read(aurora, store.None).Drift)

		third := f.read(aurora, confA)
		same(t, "back in step", []any{int64(0), int64(0)}, []any{f.app(aurora).Drift, third.Drift})
		if third.ID == first.ID {
			t.Error("an interval that ended goes on")
		}
		fourth := f.read(aurora, store.None)
		if fourth.Drift == 0 || fourth.Drift == second.Drift {
			t.Errorf("the next interval has entry %d, the one before %d", fourth.Drift, second.Drift)
		}
		for _, r := range []store.Reading{second, third, fourth} {
			got, err := f.Reading(ctx(t), aurora, r.ID)
			f.must(err)
			same(t, "read back", r, got, configurations)
		}
		got, err := f.CurrentReading(ctx(t), aurora)
		f.must(err)
		same(t, "the current one", fourth, got, configurations)
		if _, err := f.Reading(ctx(t), borea, first.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the reading of another app: %v", err)
		}
		same(t, "entries", int64(2), f.number(`SELECT COUNT(*) FROM changes`))
	})
}

// TestAnOlderAnswerIsNoReading is a process that was held up between its read and its note of it, while another began an
// interval: an answer that differs from that may be older and is not kept.
func TestAnOlderAnswerIsNoReading(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(aurora, "Aurora")))
		first := f.read(aurora, confA)
		second := f.read(aurora, confB)
		keep := func(c store.Configuration) store.Reading {
			n := f.reading(aurora, c)
			n.Known = first.ID
			r, err := f.KeepReading(ctx(t), store.Console, n)
			f.must(err)
			f.asItStands(aurora, r)
			return r.Reading
		}
		same(t, "an older answer", second, keep(confA), configurations)
		same(t, "an answer of neither", second, keep(confC), configurations)
		same(t, "the answer that is current", second.ID, keep(confB).ID)
		a := f.app(aurora)
		same(t, "the app", []any{second.ID, second.Drift}, []any{a.ReadingID, a.Drift})
		same(t, "entries of drift", int64(1), f.number(`SELECT COUNT(*) FROM changes WHERE kind = 'drift'`))
	})
}

func TestNoDriftIsJudgedWhileAChangeIsOpen(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for _, outcome := range []string{store.Pending, store.Unknown} {
			f := base.anew(t)
			n := f.opened(confB)
			if outcome == store.Unknown {
				f.end(n, ending(outcome))
			}
			r := f.read(aurora, confC)
			a := f.app(aurora)
			same(t, outcome, []any{int64(0), int64(0), r.ID, confA.Digest()}, []any{r.Drift, a.Drift, a.ReadingID, a.Record})
			if outcome == store.Pending {
				f.end(n, ending(store.Refused))
			} else {
				f.must(f.Settle(ctx(t), mei, n, store.Settlement{Settled: store.Overtaken}))
			}
			r = f.read(aurora, confC)
			if r.Drift == 0 || f.app(aurora).Drift != r.Drift {
				t.Errorf("%s: after the change the drift is not entered: %+v", outcome, r)
			}
		}
	})
}

func TestReadingThatBeganBeforeOurRecordIsNotJudged(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		old := f.reading(aurora, confA) // began now, answered after the change
		f.applied(confB)
		kept, err := f.KeepReading(ctx(t), store.Console, old)
		f.must(err)
		same(t, "drift by an old read", []int64{0, 0}, []int64{kept.Drift, f.app(aurora).Drift})
		r := f.read(aurora, confA)
		if r.Drift == 0 {
			t.Error("a read that began after the change found no drift")
		}
	})
}

func TestDriftEnds(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		ends := map[string]func(f fixture){
			"by a new applied change": func(f fixture) { f.applied(confB) },
			"by a reading":            func(f fixture) { f.read(aurora, confA) },
			"by accepting": func(f fixture) {
				n, err := f.AcceptRecord(ctx(t), mei, aurora, confC.Digest(), "fine")
				f.must(err)
				a := f.app(aurora)
				same(t, "accepted record", []any{confC.Digest(), n, n}, []any{a.Record, a.RecordNumber, a.LastNumber})
				f.read(aurora, confC)
			},
		}
		for name, end := range ends {
			f := base.anew(t)
			if f.read(aurora, confC).Drift == 0 {
				t.Fatal("no drift")
			}
			end(f)
			same(t, name, int64(0), f.app(aurora).Drift)
		}
	})
}

func TestOurRecordIsTheNewestEntrys(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		// Its writer is lost, a person closes it, a newer change is applied, then the writer comes back.
		lost := f.leftOver(confB)
		f.must(f.Settle(ctx(t), mei, lost, store.Settlement{Settled: store.Overtaken, Cause: store.CauseByHand}))
		newer := f.applied(confC)
		f.exec(`UPDATE changes SET settled = NULL, settled_at = NULL WHERE number = $1`, lost)
		f.end(lost, ending(store.Applied))
		same(t, "settled", store.Applied, f.change(lost).Settled)
		a := f.app(aurora)
		same(t, "our record", []any{confC.Digest(), newer}, []any{a.Record, a.RecordNumber})

		f.read(aurora, confA)
		if _, err := f.AcceptRecord(ctx(t), mei, aurora, confB.Digest(), "r"); !errors.Is(err, store.ErrMoved) {
			t.Errorf("accepting what is not the newest reading: %v", err)
		}
		open := f.opened(confB)
		var other *store.OpenChangeError
		if _, err := f.AcceptRecord(ctx(t), mei, aurora, confA.Digest(), "r"); !errors.As(err, &other) || other.Number != open {
			t.Errorf("accepting while a change is open: %v", err)
		}
	})
}

func TestClaimWatchGivesEachDueAppOnce(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		for id := range int64(6) {
			f.must(f.AddApp(ctx(t), mei, settings(id+1, "App")))
		}
		f.must(f.SetWatched(ctx(t), mei, 2, false))
		f.must(f.ArchiveApp(ctx(t), mei, 3, true))
		got := map[int64]int{}
		for {
			a, err := f.ClaimWatch(ctx(t), time.Hour)
			if errors.Is(err, store.ErrNotFound) {
				break
			}
			f.must(err)
			got[a.SDKAppID]++
		}
		same(t, "claims", map[int64]int{1: 1, 4: 1, 5: 1, 6: 1}, got)
	})
}

func TestAppsListedFromMemoryAreAsTheyAre(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		for id := range int64(25) { // more than are read one by one
			f.must(f.AddApp(ctx(t), mei, settings(id+1, fmt.Sprintf("Crowd %02d", id))))
		}
		// Another process on the same database, whose memory knows nothing of what this one does.
		other := fixture{Store: db.Open(t, nil), t: t, db: db, clock: f.clock}
		compare := func(act string) {
			t.Helper()
			for _, archived := range []bool{false, true} {
				list, err := other.Apps(ctx(t), archived)
				other.must(err)
				for _, a := range list {
					same(t, "an app of the list after "+act, f.app(a.SDKAppID), a.App)
				}
			}
			same(t, "listed after "+act, []int64{f.listed(false), f.listed(true)}, []int64{other.listed(false), other.listed(true)})
		}
		compare("nothing")
		acts := []struct {
			name string
			do   func() error
		}{
			{"an edit", func() error { return f.UpdateApp(ctx(t), mei, 1, settings(borea, "Arboreal")) }},
			{"a reading", func() error { return one(f.KeepReading(ctx(t), mei, f.reading(borea, confB))) }},
			{"the same reading", func() error { f.later(minute); return one(f.KeepReading(ctx(t), mei, f.reading(borea, confB))) }},
			{"a drift", func() error { return one(f.KeepReading(ctx(t), mei, f.reading(borea, confA))) }},
			{"a read that failed", func() error { return f.ReadingFailed(ctx(t), borea, ptr(int64(70009)), "") }},
			{"a change", func() error { f.applied(confC); return nil }},
			{"archiving", func() error { return f.ArchiveApp(ctx(t), mei, borea, true) }},
			{"taking back", func() error { return f.ArchiveApp(ctx(t), mei, borea, false) }},
			{"watching ends", func() error { return f.SetWatched(ctx(t), mei, borea, false) }},
			{"a new app", func() error { return f.AddApp(ctx(t), mei, settings(4000, "New")) }},
			{"edits of many", func() error {
				var err error
				for id := range int64(25) {
					err = errors.Join(err, f.UpdateApp(ctx(t), mei, 1, settings(id+1, fmt.Sprintf("Crew %02d", 25-id))))
				}
				return err
			}},
		}
		for _, a := range acts {
			f.must(a.do())
			compare(a.name)
		}
	})
}
