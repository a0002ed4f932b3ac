package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/auth"
	"callboard/store"
	"callboard/store/storetest"
)

// limit limits the operator's writing to apps; their sessions go on.
func (w *world) limit(apps ...int64) {
	w.t.Helper()
	must(w.t, w.store.SetRights(w.t.Context(), store.Console, w.users[store.Operator].ID, store.Rights{Role: store.Operator, Limited: true, Apps: apps}))
}

// TestLimitedOperatorWritesNowhereElse takes every writing route from the table, so that a new one is asked too.
func TestLimitedOperatorWritesNowhereElse(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		x := prepare(w)
		w.addApp(20010999, "Third")
		b := w.as(store.Operator)
		w.limit(20010999)
		refused := 0
		for _, r := range auth.Routes {
			if r.Need != auth.Operator || r.Method == http.MethodGet {
				continue
			}
			refused++
			before := w.traces()
			fields := x.fields(w, r)
			fields.Set(csrfField, b.csrf)
			p := b.do(r.Method, x.path(r), fields)
			if p.Code != http.StatusForbidden || p.text("h1") != w.T("problem.scope.title") {
				t.Errorf("%s %s: %d, %s", r.Method, r.Path, p.Code, heading(p))
			}
			if diff := cmp.Diff(before, w.traces()); diff != "" {
				t.Errorf("%s %s left traces:\n%s", r.Method, r.Path, diff)
			}
		}
		if refused < 4 {
			t.Errorf("only %d routes were asked", refused)
		}
	})
}

func TestLimitedOperatorWritesAtTheirApps(t *testing.T) {
	w := newWorld(t)
	x := prepare(w)
	b := w.as(store.Operator)
	w.limit(appID, otherID)
	for _, r := range auth.Routes {
		if r.Need != auth.Operator || r.Method == http.MethodGet {
			continue
		}
		fields := x.fields(w, r)
		fields.Set(csrfField, b.csrf)
		if p := b.do(r.Method, x.path(r), fields); p.Code == http.StatusForbidden {
			t.Errorf("%s %s: %s", r.Method, r.Path, heading(p))
		}
	}
}

// TestLimitedOperatorReadsEverything looks at the pages that have buttons for others.
func TestLimitedOperatorReadsEverything(t *testing.T) {
	w := newWorld(t)
	x := prepare(w)
	b := w.as(store.Operator)
	pages := []string{formOf(appID), x.plan, x.change}
	const buttons = "main form[method=post] button[type=submit]"
	for _, path := range pages {
		if p := b.get(path); p.count(buttons) == 0 {
			t.Fatalf("%s has no button for an operator, so that this test shows nothing", path)
		}
	}
	w.limit()
	for _, path := range pages {
		p := b.get(path)
		if p.Code != http.StatusOK || p.count(buttons) != 0 {
			t.Errorf("%s: %d with %d buttons", path, p.Code, p.count(buttons))
		}
	}
	for _, path := range pages[:2] {
		if p := b.get(path); !strings.Contains(p.text("main"), w.T("scope.read_only")) {
			t.Errorf("%s does not say why", path)
		}
	}
	for _, r := range auth.Routes {
		if r.Method != http.MethodGet || !r.Need.Allows(store.Operator) || strings.HasPrefix(r.Path, "/sign") {
			continue
		}
		if p := b.get(x.path(r)); p.Code >= 400 {
			t.Errorf("GET %s: %d", r.Path, p.Code)
		}
	}
}
