package store_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

// reads are the exported methods that write nothing.
var reads = []string{
	"Keys",
	"AnswerTimes", "App", "AppWithOpen", "AppWithSecret", "Apps", "Attention", "AuditTrail", "Change", "CheckAudit", "Close", "Configuration", "ConfigurationAt", "Configurations", "CountArchived", "CurrentReading", "DriftSince",
	"EachStep", "Counts", "Entries", "WholeEntry", "FrequentCodes", "GraceOver", "HasUsers", "History", "KnowsBrowser", "LinkOwner", "MaySend", "Outcomes", "People", "Person", "Plan", "PlanToken", "Reading", "Reasons", "Related", "Rotation", "Session", "SessionsOf", "TokenState", "UserByName",
}

// act is one use of a writing method: what has to be there before, and what the audit says after.
type act struct {
	method  string
	name    string
	prepare func(f fixture)
	do      func(f fixture) error
	want    []string
}

// acts has at least one use of every method that takes an Actor.
var acts = []act{
	{"FirstAdmin", "", nil, func(f fixture) error {
		_, err := f.FirstAdmin(ctx(f.t), mei, store.NewUser{Name: "Mei", Password: "h", Role: store.Admin})
		return err
	}, []string{"user.added"}},
	{"AddUser", "", nil, func(f fixture) error {
		_, err := f.AddUser(ctx(f.t), mei, store.NewUser{Name: "Ota", Password: "h", Role: store.Support})
		return err
	}, []string{"user.added"}},
	{"SetPreferences", "", withUser, func(f fixture) error {
		return f.SetPreferences(ctx(f.t), mei, 1, store.Preferences{Language: "en", Theme: "dark", TimeZone: "UTC"})
	}, []string{"user.preferences"}},
	{"SetPassword", "", withSession, func(f fixture) error { return f.SetPassword(ctx(f.t), mei, 1, "h", "h2", "") }, []string{"user.password"}},
	{"StartSession", "", withUser, func(f fixture) error { return f.StartSession(ctx(f.t), mei, "h", "s2", "browser") }, []string{"session.started"}},
	{"SignInFailed", "", nil, func(f fixture) error {
		return f.SignInFailed(ctx(f.t), store.Actor{Kind: store.PersonActor}, "x\x00\xff")
	}, []string{"session.refused"}},
	{"AccessRefused", "", nil, func(f fixture) error { return f.AccessRefused(ctx(f.t), mei, "GET /users") }, []string{"access.refused"}},
	{"EndSession", "", withSession, func(f fixture) error { return f.EndSession(ctx(f.t), mei, "s1") }, []string{"session.ended"}},
	{"EndOwnSession", "", withSession, func(f fixture) error { return f.EndOwnSession(ctx(f.t), mei, "s1") }, []string{"session.ended"}},
	{"EndOtherSessions", "", withSession, func(f fixture) error { return f.EndOtherSessions(ctx(f.t), mei, "s2") }, []string{"session.others_ended"}},
	{"Invite", "", withUser, func(f fixture) error { _, err := f.Invite(ctx(f.t), mei, invitation("Ota")); return err }, []string{"user.invited"}},
	{"Withdraw", "", withInvited, func(f fixture) error { return f.Withdraw(ctx(f.t), mei, 2) }, []string{"user.withdrawn"}},
	{"SetRights", "", withInvited, func(f fixture) error {
		return f.SetRights(ctx(f.t), mei, 2, store.Rights{Role: store.Support})
	}, []string{"user.rights"}},
	{"SetDisabled", "away", withInvited, func(f fixture) error { return f.SetDisabled(ctx(f.t), mei, 2, true) }, []string{"user.disabled"}},
	{"SetDisabled", "back", func(f fixture) { withInvited(f); f.must(f.SetDisabled(ctx(f.t), mei, 2, true)) }, func(f fixture) error {
		return f.SetDisabled(ctx(f.t), mei, 2, false)
	}, []string{"user.enabled"}},
	{"AddLink", "", withInvited, func(f fixture) error {
		return f.AddLink(ctx(f.t), mei, 2, store.Link{ID: "link-2", Life: time.Hour})
	}, []string{"user.link"}},
	{"UseLink", "", withInvited, func(f fixture) error { return f.UseLink(ctx(f.t), ota, "link-Ota", "h2") }, []string{"user.link_used"}},
	{"AddLink", "reset", withAdmins, func(f fixture) error {
		return f.AddLink(ctx(f.t), mei, 2, store.Link{ID: "link-2", Life: time.Hour})
	}, []string{"user.reset"}},
	{"RotateKeys", "", nil, func(f fixture) error { return one(f.RotateKeys(ctx(f.t), store.CommandLine, false)) }, []string{"keys.added", "keys.rotated"}},
	{"RotateKeys", "begun before", func(f fixture) { f.must(one(f.RotateKeys(ctx(f.t), store.CommandLine, true))) }, func(f fixture) error {
		return one(f.RotateKeys(ctx(f.t), store.CommandLine, false))
	}, []string{"keys.rotated"}},
	{"RotateKeys", "prepare", nil, func(f fixture) error { return one(f.RotateKeys(ctx(f.t), store.CommandLine, true)) }, []string{"keys.added"}},
	{"RetireKeys", "", func(f fixture) { f.must(one(f.RotateKeys(ctx(f.t), store.CommandLine, false))) }, func(f fixture) error {
		return one(f.RetireKeys(ctx(f.t), store.CommandLine))
	}, []string{"keys.retired"}},
	{"AddApp", "", nil, func(f fixture) error { return f.AddApp(ctx(f.t), mei, settings(borea, "Borea")) }, []string{"app.added"}},
	{"UpdateApp", "", nil, func(f fixture) error { return f.UpdateApp(ctx(f.t), mei, 1, settings(aurora, "Aurora 2")) }, []string{"app.edited"}},
	{"ArchiveApp", "away", nil, func(f fixture) error { return f.ArchiveApp(ctx(f.t), mei, aurora, true) }, []string{"app.archived"}},
	{"ArchiveApp", "back", func(f fixture) { f.must(f.ArchiveApp(ctx(f.t), mei, aurora, true)) }, func(f fixture) error {
		return f.ArchiveApp(ctx(f.t), mei, aurora, false)
	}, []string{"app.taken_back"}},
	{"KeepReading", "first", func(f fixture) { f.must(f.AddApp(ctx(f.t), mei, settings(borea, "Borea"))) }, keep(borea, confA), []string{"reading.kept"}},
	{"KeepReading", "drift", nil, keep(aurora, confB), []string{"drift.found", "reading.kept"}},
	{"KeepReading", "back in step", func(f fixture) { f.read(aurora, confB) }, keep(aurora, confA), []string{"reading.kept"}},
	{"SetWatched", "", nil, func(f fixture) error { return f.SetWatched(ctx(f.t), mei, aurora, false) }, []string{"app.watched"}},
	{"AcceptRecord", "", func(f fixture) { f.read(aurora, confB) }, func(f fixture) error {
		_, err := f.AcceptRecord(ctx(f.t), mei, aurora, confB.Digest(), "ours now")
		return err
	}, []string{"record.accepted"}},
	{"AddPlan", "", nil, func(f fixture) error {
		_, err := f.AddPlan(ctx(f.t), mei, newPlan(aurora, "p"), confB)
		return err
	}, []string{"plan.made"}},
	{"AddTokenPlan", "", nil, addTokenPlan, []string{"plan.made"}},
	{"ShowToken", "", func(f fixture) { f.must(addTokenPlan(f)) }, func(f fixture) error { return one(f.ShowToken(ctx(f.t), mei, "t")) }, []string{"token.shown"}},
	{"AddTokenPlan", "that rotates", nil, func(f fixture) error { return tokenPlan(f, true) }, []string{"plan.made", "rotation.started"}},
	{"TickRotation", "learned", rotating, tickRotation(store.RotationLearned), []string{"rotation.learned"}},
	{"TickRotation", "seen", rotating, tickRotation(store.RotationSeen), []string{"rotation.seen"}},
	{"TickRotation", "dropped", rotating, tickRotation(store.RotationDropped), []string{"rotation.dropped"}},
	{"EndRotation", "", rotating, func(f fixture) error {
		return f.EndRotation(ctx(f.t), mei, aurora)
	}, []string{"rotation.ended"}},
	{"OpenChange", "", func(f fixture) { f.plan("p", confB) }, openPlan, []string{"change.opened"}},
	{"OpenChange", "stale", func(f fixture) { f.plan("p", confB); f.applied(confC) }, openPlan, []string{"change.opened"}},
	{"CloseChange", "applied", func(f fixture) { f.opened(confB) }, closeAs(store.Applied), []string{"change.ended"}},
	{"CloseChange", "refused", func(f fixture) { f.opened(confB) }, closeAs(store.Refused), []string{"change.ended"}},
	{"CloseChange", "unknown", func(f fixture) { f.opened(confB) }, closeAs(store.Unknown), []string{"change.ended"}},
	{"CloseChange", "not sent", func(f fixture) { f.opened(confB) }, closeAs(store.NotSent), []string{"change.ended"}},
	{"CloseChange", "late, definite", func(f fixture) { f.leftOver(confB) }, closeAs(store.Applied), []string{"change.settled"}},
	{"CloseChange", "late, unknown", func(f fixture) { f.leftOver(confB) }, closeAs(store.Unknown), []string{"change.late"}},
	{"Settle", "applied", func(f fixture) { f.unknown(confB) }, settleAs(store.Applied, &confB), []string{"change.settled"}},
	{"Settle", "by hand", func(f fixture) { f.unknown(confB) }, settleAs(store.Overtaken, nil), []string{"change.settled"}},
	{"LeaseOver", "", func(f fixture) { f.leaseEnds(f.opened(confB)) }, func(f fixture) error {
		return f.LeaseOver(ctx(f.t), store.Console, f.newest(), time.Minute)
	}, []string{"change.left_over"}},
	{"HistoryExported", "", nil, func(f fixture) error {
		return f.HistoryExported(ctx(f.t), mei, "csv", "/history?q=x")
	}, []string{"history.exported"}},
	{"BundleMade", "", func(f fixture) { f.applied(confB) }, func(f fixture) error {
		return f.BundleMade(ctx(f.t), mei, f.newest())
	}, []string{"bundle.made"}},
	{"KeepReadBack", "", func(f fixture) { f.applied(confB) }, func(f fixture) error {
		return f.KeepReadBack(ctx(f.t), store.Console, f.newest(), confC)
	}, []string{"change.read_back"}},
}

func withUser(f fixture) {
	f.t.Helper()
	_, err := f.AddUser(ctx(f.t), mei, store.NewUser{Name: "Mei", Password: "h", Role: store.Admin})
	f.must(err)
}

func withSession(f fixture) {
	f.t.Helper()
	withUser(f)
	f.must(f.StartSession(ctx(f.t), mei, "h", "s1", "browser"))
}

func keep(sdkappid int64, c store.Configuration) func(f fixture) error {
	return func(f fixture) error {
		_, err := f.KeepReading(ctx(f.t), store.Console, f.reading(sdkappid, c))
		return err
	}
}

func openPlan(f fixture) error {
	p, _, err := f.Plan(ctx(f.t), "p")
	f.must(err)
	_, _, err = f.OpenChange(ctx(f.t), mei, intent(p, 99))
	return err
}

func closeAs(outcome string) func(f fixture) error {
	return func(f fixture) error {
		e := ending(outcome)
		e.Found = &confC
		return f.CloseChange(ctx(f.t), mei, f.newest(), e)
	}
}

func settleAs(settled string, found *store.Configuration) func(f fixture) error {
	return func(f fixture) error {
		return f.Settle(ctx(f.t), mei, f.newest(), store.Settlement{Settled: settled, Reason: "r", Found: found})
	}
}

func (f fixture) newest() int64 {
	f.t.Helper()
	return f.app(aurora).LastNumber
}

func TestEveryMethodIsAReadAnActOrHousekeeping(t *testing.T) {
	kind := reflect.TypeFor[*store.Store]()
	actor := reflect.TypeFor[store.Actor]()
	seen := map[string]bool{}
	for i := range kind.NumMethod() {
		m := kind.Method(i)
		seen[m.Name] = true
		takesActor := false
		for j := range m.Type.NumIn() {
			takesActor = takesActor || m.Type.In(j) == actor
		}
		roles := 0
		for _, is := range []bool{takesActor, slices.Contains(reads, m.Name), housekeeping[m.Name] != nil} {
			if is {
				roles++
			}
		}
		if roles != 1 {
			t.Errorf("%s is in %d of these, want one: takes an Actor, is a read, is housekeeping (list both here)", m.Name, roles)
		}
		tested := slices.ContainsFunc(acts, func(a act) bool { return a.method == m.Name })
		if takesActor != tested {
			t.Errorf("%s: takes an Actor %v, stands in the table of acts %v", m.Name, takesActor, tested)
		}
	}
	for _, name := range slices.AppendSeq(slices.Clone(reads), maps.Keys(housekeeping)) {
		if !seen[name] {
			t.Errorf("%s is listed but is no method", name)
		}
	}
}

func TestAnActAndItsAuditRowHappenTogether(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for _, a := range acts {
			t.Run(a.method+" "+a.name, func(t *testing.T) {
				f := base.anew(t)
				if a.prepare != nil {
					a.prepare(f)
				}
				before, rows := f.dump(), f.audited()
				f.exec(`ALTER TABLE audit RENAME TO audit_away`)
				if err := a.do(f); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("without an audit table: %v", err)
				}
				f.exec(`ALTER TABLE audit_away RENAME TO audit`)
				same(t, "every row after the act without audit", before, f.dump())
				f.must(a.do(f))
				same(t, "audit rows", a.want, f.acts(rows))
				if reflect.DeepEqual(before["audit"], f.dump()["audit"]) {
					t.Error("nothing was audited")
				}
				f.intact()
			})
		}
	})
}

func (f fixture) intact() {
	f.t.Helper()
	n, broken, err := f.CheckAudit(ctx(f.t))
	if err != nil || broken || n != f.audited() {
		f.t.Errorf("CheckAudit = %d, %v, %v over %d rows", n, broken, err, f.audited())
	}
}

// housekeeping uses every writing method that records nobody's act and therefore writes no audit row; every other one takes an
// Actor.
var housekeeping = map[string]func(f fixture) error{
	"Ping":         func(f fixture) error { return f.Ping(ctx(f.t)) },
	"TouchSession": func(f fixture) error { return f.TouchSession(ctx(f.t), "s1") },
	"DropExpiredSessions": func(f fixture) error {
		return f.DropExpiredSessions(ctx(f.t), store.SessionLimits{Idle: time.Hour, Absolute: time.Hour})
	},
	"DropExpiredTokens": func(f fixture) error { return f.DropExpiredTokens(ctx(f.t)) },
	"CookieKeys": func(f fixture) error {
		_, err := f.CookieKeys(ctx(f.t), func() ([]byte, error) { return make([]byte, 96), nil })
		return err
	},
	"ReadingFailed": func(f fixture) error { return f.ReadingFailed(ctx(f.t), aurora, ptr[int64](60008), "timeout") },
	"ClaimWatch": func(f fixture) error {
		_, err := f.ClaimWatch(ctx(f.t), time.Hour)
		return err
	},
	"ClaimDue": func(f fixture) error {
		_, err := f.ClaimDue(ctx(f.t))
		return err
	},
	"Claim": func(f fixture) error {
		_, err := f.Claim(ctx(f.t), f.newest())
		return err
	},
	"Postpone": func(f fixture) error { return f.Postpone(ctx(f.t), f.newest(), nil, "timeout", true) },
	"PruneStep": func(f fixture) error {
		_, err := f.PruneStep(ctx(f.t), time.Hour, &store.Pruning{})
		return err
	},
	"KeepConfiguration": func(f fixture) error {
		_, err := f.KeepConfiguration(ctx(f.t), confC)
		return err
	},
	"ReserveTry":      func(f fixture) error { return f.ReserveTry(ctx(f.t), tries) },
	"GiveTriesBack":   func(f fixture) error { return f.GiveTriesBack(ctx(f.t), tries) },
	"DropUnusedTries": func(f fixture) error { return f.DropUnusedTries(ctx(f.t)) },
	"KnowBrowser":     func(f fixture) error { return f.KnowBrowser(ctx(f.t), store.Welcome{UserID: 1, New: "b"}) },
	"DropOldLinks":    func(f fixture) error { return f.DropOldLinks(ctx(f.t)) },
	"DropOldBrowsers": func(f fixture) error { return f.DropOldBrowsers(ctx(f.t), time.Hour) },
}

func addTokenPlan(f fixture) error { return tokenPlan(f, false) }

func tokenPlan(f fixture, rotate bool) error {
	p := newPlan(aurora, "t")
	p.Kind = store.KindToken
	return one(f.AddTokenPlan(ctx(f.t), mei, p, store.TokenConfiguration(store.TokenState{}), store.TokenConfiguration(store.TokenState{Set: true, Length: 5, MAC: "m"}), store.NewToken{Value: "token", Show: true, Rotate: rotate}))
}

func rotating(f fixture) { f.must(tokenPlan(f, true)) }

func tickRotation(step string) func(fixture) error {
	return func(f fixture) error { return f.TickRotation(ctx(f.t), mei, aurora, step) }
}

func TestHousekeepingAuditsNothing(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		for _, name := range slices.Sorted(maps.Keys(housekeeping)) {
			f = f.anew(t)
			withSession(f)
			f.unknown(confB)
			rows := f.audited()
			f.must(housekeeping[name](f))
			same(t, "audit rows after "+name, rows, f.audited())
		}
		rows := f.audited()
		f.read(aurora, confA) // prolongs the current interval
		same(t, "audit rows after a reading seen again", rows, f.audited())
	})
}

func TestAuditTrail(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		long := store.Actor{Kind: store.PersonActor, UserID: 5, Name: "Mei\x00", Role: store.Operator, Address: "2001:db8::1"}
		f.must(f.AddApp(ctx(t), mei, settings(aurora, "Aurora")))
		f.later(minute)
		f.must(f.SignInFailed(ctx(t), long, "who\x00"))
		f.must(f.SignInFailed(ctx(t), store.Console, ""))
		want := []store.AuditEntry{
			{Number: 3, At: start + minute, Actor: store.Console, Act: "session.refused", Target: store.UnknownName, Detail: "null"},
			{Number: 2, At: start + minute, Actor: store.Actor{Kind: store.PersonActor, UserID: 5, Name: "Mei\u2400", Role: store.Operator, Address: "2001:db8::1"}, Act: "session.refused", Target: store.UnknownName, Detail: "null"},
			{Number: 1, At: start, Actor: mei, Act: "app.added", Target: "app 1400000001", Detail: `{"environment":"production","identifier":"administrator","name":"Aurora","region":"singapore","secret_replaced":true}`},
		}
		for _, test := range []struct {
			before int64
			limit  int
			want   []store.AuditEntry
		}{{0, 10, want}, {0, 2, want[:2]}, {3, 10, want[1:]}, {3, 1, want[1:2]}, {1, 10, nil}, {99, 10, want}} {
			got, err := f.AuditTrail(ctx(t), store.AuditFilter{Before: test.before, Limit: test.limit})
			f.must(err)
			same(t, fmt.Sprintf("AuditTrail(%d, %d)", test.before, test.limit), plain(test.want), plain(got.Entries))
		}
		f.intact()
	})
}

// TestTypedNamesAreNotKept: a password that was typed as a name must not stay in the audit.
func TestTypedNamesAreNotKept(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		_, err := f.AddUser(ctx(t), store.Console, store.NewUser{Name: "Ota", Password: "h", Role: store.Support})
		f.must(err)
		for _, test := range []struct{ typed, want string }{{" oTA ", "Ota"}, {"a-password-typed-here", store.UnknownName}, {"", store.UnknownName}, {"x\x00\xff", store.UnknownName}} {
			f.must(f.SignInFailed(ctx(t), store.Actor{Kind: store.PersonActor}, test.typed))
			got, err := f.AuditTrail(ctx(t), store.AuditFilter{Limit: 1})
			f.must(err)
			same(t, test.typed, test.want, got.Entries[0].Target)
		}
	})
}

// plain leaves the MAC out, which differs with each key set.
func plain(list []store.AuditEntry) []string {
	var texts []string
	for _, e := range list {
		texts = append(texts, fmt.Sprintf("%d %d %+v %q %q %q", e.Number, e.At, e.Actor, e.Act, e.Target, e.Detail))
	}
	return texts
}

func TestCheckAuditFindsEveryTampering(t *testing.T) {
	const rows = 6
	tests := []struct{ name, statement string }{
		{"number", `UPDATE audit SET number = 99 WHERE number = 3`},
		{"at", `UPDATE audit SET at = at + 1 WHERE number = 3`},
		{"actor", `UPDATE audit SET actor = 'console' WHERE number = 3`},
		{"user_id", `UPDATE audit SET user_id = 2 WHERE number = 3`},
		{"user_id removed", `UPDATE audit SET user_id = NULL WHERE number = 3`},
		{"who", `UPDATE audit SET who = 'Ota' WHERE number = 3`},
		{"role", `UPDATE audit SET role = 'support' WHERE number = 3`},
		{"address", `UPDATE audit SET address = '' WHERE number = 3`},
		{"act", `UPDATE audit SET act = 'app.added' WHERE number = 3`},
		{"target", `UPDATE audit SET target = 'x' WHERE number = 3`},
		{"detail", `UPDATE audit SET detail = '{}' WHERE number = 3`},
		{"mac", `UPDATE audit SET mac = (SELECT mac FROM audit WHERE number = 2) WHERE number = 3`},
		{"text moved between columns", `UPDATE audit SET address = '', target = address || target WHERE number = 3`},
		{"removed", `DELETE FROM audit WHERE number = 3`},
		{"removed and closed up", `DELETE FROM audit WHERE number = 3; UPDATE audit SET number = number - 1 WHERE number > 3`},
		{"put in", `UPDATE audit SET number = -number WHERE number >= 3; UPDATE audit SET number = 1 - number WHERE number < 0;
			INSERT INTO audit SELECT 3, at, actor, user_id, who, role, address, act, target, detail, mac FROM audit WHERE number = 2`},
		{"two exchanged", `UPDATE audit SET number = 99 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 4; UPDATE audit SET number = 4 WHERE number = 99`},
	}
	heads := []struct {
		name, statement string
		first           int64
	}{
		{"last removed", `DELETE FROM audit WHERE number = 6`, 6},
		{"last removed, head number turned back", `DELETE FROM audit WHERE number = 6; UPDATE audit_head SET number = 5`, 6},
		{"all removed", `DELETE FROM audit`, 1},
		{"one added at the end", `INSERT INTO audit SELECT 7, at, actor, user_id, who, role, address, act, target, detail, mac FROM audit WHERE number = 6`, 7},
		{"first removed", `DELETE FROM audit WHERE number = 1`, 1},
		{"head number", `UPDATE audit_head SET number = 7`, 7},
		{"head mac", `UPDATE audit_head SET mac = (SELECT mac FROM audit WHERE number = 5)`, 7},
		{"head removed", `DELETE FROM audit_head`, 7},
	}
	for _, test := range tests {
		heads = append(heads, struct {
			name, statement string
			first           int64
		}{test.name, test.statement, 3})
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		if n, broken, err := f.CheckAudit(ctx(t)); n != 0 || broken || err != nil {
			t.Errorf("an empty chain: %d, %v, %v", n, broken, err)
		}
		for i := range rows {
			f.must(f.SignInFailed(ctx(t), mei, fmt.Sprintf("who %d", i)))
		}
		f.intact()
		f.freeAudit()
		f.exec(`CREATE TABLE audit_copy AS SELECT * FROM audit`)
		f.exec(`CREATE TABLE head_copy AS SELECT * FROM audit_head`)
		for _, test := range heads {
			f.script(test.statement)
			if n, broken, err := f.CheckAudit(ctx(t)); n != test.first || !broken || err != nil {
				t.Errorf("%s: CheckAudit = %d, %v, %v; want row %d broken", test.name, n, broken, err, test.first)
			}
			f.script(`DELETE FROM audit; DELETE FROM audit_head; INSERT INTO audit SELECT * FROM audit_copy; INSERT INTO audit_head SELECT * FROM head_copy`)
			f.intact()
		}
	})
}

// freeAudit takes the triggers away, as somebody with the database's password can.
func (f fixture) freeAudit() {
	f.t.Helper()
	if f.db.Name == "postgres" {
		f.exec(`DROP TRIGGER audit_append_only ON audit`)
		return
	}
	f.exec(`DROP TRIGGER audit_no_update`)
	f.exec(`DROP TRIGGER audit_no_delete`)
}

func TestCheckAuditBesideWriters(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		const writers = 4
		var writing atomic.Int64
		writing.Store(writers)
		errs := together(2*writers, func(i int) error {
			if i < writers {
				defer writing.Add(-1)
				for range 15 {
					if err := f.SignInFailed(ctx(t), mei, "x"); err != nil {
						return err
					}
				}
				return nil
			}
			for writing.Load() > 0 {
				if n, broken, err := f.CheckAudit(ctx(t)); err != nil || broken {
					return fmt.Errorf("CheckAudit = %d, %v, %w", n, broken, err)
				}
			}
			return nil
		})
		f.must(errors.Join(errs...))
		same(t, "rows", int64(60), f.audited())
		f.intact()
	})
}

func TestAuditRowsAreNeverChangedOrRemoved(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		before := f.dump()
		statements := []string{`UPDATE audit SET who = 'x'`, `UPDATE audit SET number = number WHERE number = 1`, `DELETE FROM audit`, `DELETE FROM audit WHERE number = 1`}
		if db.Name == "postgres" {
			statements = append(statements, `TRUNCATE audit`)
		} else {
			statements = append(statements, `INSERT OR REPLACE INTO audit SELECT number, at, actor, user_id, 'x', role, address, act, target, detail, mac FROM audit WHERE number = 1`)
		}
		for _, statement := range statements {
			if _, err := store.WriterOf(f.Store).ExecContext(ctx(t), statement); err == nil {
				t.Errorf("done: %s", statement)
			}
		}
		same(t, "every row", before, f.dump())
		f.intact()
	})
}
