package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/auth"
	"callboard/changes"
	"callboard/dev/bench/seed"
	"callboard/handlers"
	"callboard/i18n"
	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/tencent"
)

// measured is a console over a seeded database, asked without a network in between.
type measured struct {
	pages  http.Handler
	cookie string
	seeded seed.Seeded
}

const (
	measuredEntries = 20_000
	measuredApps    = 100
	measuredCode    = "ABCD-EFGH"
	measuredRegion  = "measured"
)

func newMeasured(b *testing.B, db storetest.Database) *measured {
	b.Helper()
	o := seed.Options{Database: db.Address, Keys: db.Keys, Entries: measuredEntries, Apps: measuredApps, Region: measuredRegion, Host: "127.0.0.1", Now: time.Now()}
	seeded, err := seed.Fill(context.Background(), o, func(string) {})
	if err != nil {
		b.Fatal(err)
	}
	m := &measured{seeded: seeded, pages: measuredPages(b, db.Open(b, nil), measuredAPI(b, seeded.Apps))}
	m.signIn(b)
	return m
}

// measuredAPI is a sandbox that has what the last readings found.
func measuredAPI(b *testing.B, apps []seed.App) (address string) {
	b.Helper()
	o := sandbox.Options{RatePerSecond: 1_000_000}
	for _, a := range apps {
		o.Apps = append(o.Apps, sandbox.App{SDKAppID: a.ID, Key: seed.Key(a.ID), Admins: []string{seed.Admin}})
	}
	box, err := sandbox.New(o)
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range apps {
		box.SetCallback(a.ID, &sandbox.Callback{Url: a.Current.URL(), CallbackCommandList: a.Current.Commands()})
	}
	server := httptest.NewServer(box.API())
	b.Cleanup(server.Close)
	return server.URL
}

func measuredPages(b *testing.B, s *store.Store, api string) http.Handler {
	b.Helper()
	texts, err := i18n.Load()
	if err != nil {
		b.Fatal(err)
	}
	regions, err := tencent.NewDirectory(measuredRegion + "=" + api)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := s.CookieKeys(context.Background(), auth.NewCookieKey)
	if err != nil {
		b.Fatal(err)
	}
	client := tencent.New(tencent.Options{})
	b.Cleanup(client.Close)
	pages, err := handlers.New(handlers.Options{Store: s, Changes: changes.New(changes.Options{Store: s, Client: client, Regions: regions}), Regions: regions, Texts: texts,
		Cookies: auth.NewCookies(keys, false, 3600), Sessions: store.SessionLimits{Idle: time.Hour, Absolute: time.Hour}, SetupCode: measuredCode})
	if err != nil {
		b.Fatal(err)
	}
	return pages
}

var formToken = regexp.MustCompile(`name="_csrf" value="([^"]*)"`)

// signIn makes the first administrator through /setup and keeps the session.
func (m *measured) signIn(b *testing.B) {
	b.Helper()
	page := m.get("/setup")
	token := formToken.FindStringSubmatch(page.Body.String())
	if token == nil {
		b.Fatal("/setup has no form token")
	}
	form := url.Values{"code": {measuredCode}, "username": {"measurer"}, "password": {"measured-by-the-second"}, "_csrf": {token[1]}}
	r := httptest.NewRequest(http.MethodPost, "/setup", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", page.Header().Get("Set-Cookie"))
	answer := httptest.NewRecorder()
	m.pages.ServeHTTP(answer, r)
	if answer.Code != http.StatusSeeOther {
		b.Fatalf("/setup answers %d", answer.Code)
	}
	var list []string
	for _, c := range answer.Result().Cookies() {
		list = append(list, c.Name+"="+c.Value)
	}
	m.cookie = strings.Join(list, "; ")
}

func (m *measured) get(path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Cookie", m.cookie)
	answer := httptest.NewRecorder()
	m.pages.ServeHTTP(answer, r)
	return answer
}

// run asks for a page again and again.
func (m *measured) run(b *testing.B, path string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if answer := m.get(path); answer.Code != http.StatusOK {
			b.Fatalf("%s answers %d", path, answer.Code)
		}
	}
}

func BenchmarkPages(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { measurePages(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { measurePages(b, storetest.Postgres(b)) })
}

func measurePages(b *testing.B, db storetest.Database) {
	b.Helper()
	m := newMeasured(b, db)
	for _, p := range []struct{ name, path string }{
		{"history", "/history"},
		{"tab", "/history?state=refused"},
		{"person", "/history?q=" + m.seeded.Person},
		{"url", "/history?q=gateway"},
		{"apps", "/apps"},
		{"change", fmt.Sprintf("/changes/%d", m.seeded.Change)},
		{"form", fmt.Sprintf("/apps/%d/callback", m.seeded.Apps[slices.IndexFunc(m.seeded.Apps, func(a seed.App) bool { return a.Steady })].ID)},
		{"events", "/events"},
	} {
		b.Run(p.name, func(b *testing.B) { m.run(b, p.path) })
	}
}
