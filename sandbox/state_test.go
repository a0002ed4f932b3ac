package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type kept struct {
	Callback *Callback
	Token    *Token
}

func stateOf(s *Server, id int64) kept {
	var k kept
	if cb, found := s.Callback(id); found {
		k.Callback = &cb
	}
	if token, found := s.Token(id); found {
		k.Token = &token
	}
	return k
}

// TestStateOutlivesAKill never closes the first server: what was answered has to be in the file already.
func TestStateOutlivesAKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	hook := &Callback{Url: "https://hooks.example.test/live", CallbackCommandList: []string{"Live.CallbackAfterCreateRoom", "Live.CallbackAfterDestroyRoom"}}
	cases := []struct {
		command, body string
		want          kept
	}{
		{"set_callback", hookBody, kept{Callback: hook}},
		{"set_callback_token", tokenBody, kept{Callback: hook, Token: &Token{Token: "demo-token-1", IsTokenEnable: true}}},
		{"update_callback", `{"Url":"http://a<&>","CallbackCommandList":["B","A","A","\u0000"]}`,
			kept{Callback: &Callback{Url: "http://a<&>", CallbackCommandList: []string{"B", "A", "A", "\x00"}}, Token: &Token{Token: "demo-token-1", IsTokenEnable: true}}},
		{"delete_callback", "{}", kept{Token: &Token{Token: "demo-token-1", IsTokenEnable: true}}},
		{"delete_callback_token", "{}", kept{}},
	}
	for _, c := range cases {
		s := startServer(t, Options{File: file})
		if got := post(t, s, newClient(t), c.command, c.body); got.code() != 0 {
			t.Fatalf("%s: %s", c.command, got.raw)
		}
		next := memoryServer(t, Options{File: file})
		if diff := cmp.Diff(c.want, stateOf(next, appID)); diff != "" {
			t.Errorf("after %s: %s", c.command, diff)
		}
		if journal := next.Journal(); len(journal) != 0 {
			t.Errorf("the journal was kept: %v", journal)
		}
	}
}

func TestStateChangedBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	s := memoryServer(t, Options{File: file})
	want := kept{Callback: &Callback{Url: "http://a", CallbackCommandList: []string{"A"}}, Token: &Token{Token: "x"}}
	s.SetCallback(5, want.Callback)
	s.SetToken(5, want.Token)
	if diff := cmp.Diff(want, stateOf(memoryServer(t, Options{File: file}), 5)); diff != "" {
		t.Error(diff)
	}
	s.SetCallback(5, nil)
	s.SetToken(5, nil)
	if diff := cmp.Diff(kept{}, stateOf(memoryServer(t, Options{File: file}), 5)); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file mode: %v %v", info.Mode(), err)
	}
}

// TestCrashBeforeRename stops between the new file and the rename: the change was never answered, so it is not there.
func TestCrashBeforeRename(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	s := startServer(t, Options{File: file})
	client := newClient(t)
	post(t, s, client, "set_callback", hookBody)
	before := stateOf(s, appID)
	var half []byte
	s.mu.Lock()
	s.rename = func(from, _ string) error {
		half, _ = os.ReadFile(from)
		return errors.New("the power went away")
	}
	s.mu.Unlock()
	got := post(t, s, client, "update_callback", otherBody)
	if got.code() != 100001 || strings.Contains(got.raw, "power") {
		t.Errorf("answer: %s", got.raw)
	}
	if !strings.Contains(string(half), "10.0.0.1") {
		t.Errorf("the new state was not written before the rename: %s", half)
	}
	if e := s.Journal()[1]; e.Applied || !cmp.Equal(e.Before, e.After) {
		t.Errorf("journal: %+v", e)
	}
	if diff := cmp.Diff(before, stateOf(s, appID)); diff != "" {
		t.Error("in memory: ", diff)
	}
	if diff := cmp.Diff(before, stateOf(memoryServer(t, Options{File: file}), appID)); diff != "" {
		t.Error("in the file: ", diff)
	}
}

func TestCloseTellsWhatWasNotWritten(t *testing.T) {
	s := memoryServer(t, Options{File: filepath.Join(t.TempDir(), "sandbox.json")})
	lost := errors.New("no room")
	s.rename = func(string, string) error { return lost }
	s.SetCallback(appID, &Callback{Url: "http://a"})
	if _, found := s.Callback(appID); !found {
		t.Error("the change did not hold in memory")
	}
	if err := s.Close(context.Background()); !errors.Is(err, lost) {
		t.Errorf("Close returned %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	folder := t.TempDir()
	write := func(content string) string {
		file, err := os.CreateTemp(folder, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteString(content)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		return file.Name()
	}
	cases := []struct {
		name    string
		options Options
		want    string
	}{
		{"rate", Options{RatePerSecond: -1}, "rate"},
		{"delay", Options{ActivationDelay: -1}, "delay"},
		{"delete", Options{DeleteMissing: "OK"}, "DeleteMissing"},
		{"app without number", Options{Apps: []App{{Key: "k"}}}, "SDKAppID"},
		{"app without key", Options{Apps: []App{{SDKAppID: 1}}}, "no key"},
		{"app twice", Options{Apps: []App{oneApp(), oneApp()}}, "twice"},
		{"empty file", Options{File: write("")}, "read the state"},
		{"file cut short", Options{File: write(`{"version":1,"apps":{"5":`)}, "read the state"},
		{"unknown field", Options{File: write(`{"version":1,"x":1}`)}, "unknown field"},
		{"two values", Options{File: write(`{"version":1}{}`)}, "more than one"},
		{"other version", Options{File: write(`{"version":2,"apps":{}}`)}, "version 2"},
		{"folder missing", Options{File: filepath.Join(folder, "none", "x")}, "write the state"},
		{"file is a folder", Options{File: folder}, "read the state"},
	}
	for _, c := range cases {
		if _, err := New(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestActivation(t *testing.T) {
	at := func(u string) *Callback { return &Callback{Url: u} }
	cases := []struct {
		name string
		move time.Duration
		set  bool
		to   *Callback
		want string
	}{
		{name: "first address", set: true, to: at("http://a"), want: ""},
		{name: "just before", move: 2*time.Minute - 1, want: ""},
		{name: "two minutes later", move: 1, want: "http://a"},
		{name: "new address", set: true, to: at("http://b"), want: "http://a"},
		{name: "newer one meanwhile", move: time.Minute, set: true, to: at("http://c"), want: "http://a"},
		{name: "same address again", move: time.Minute, set: true, to: at("http://c"), want: "http://a"},
		{name: "counted from the newer one", move: time.Minute, want: "http://c"},
		{name: "removal holds at once", set: true, want: ""},
		{name: "set anew", set: true, to: at("http://d"), want: ""},
		{name: "active again", move: 2 * time.Minute, want: "http://d"},
	}
	file := filepath.Join(t.TempDir(), "sandbox.json")
	c := &clock{now: day}
	options := Options{File: file, ActivationDelay: 2 * time.Minute, Now: c.Now}
	s := memoryServer(t, options)
	for _, step := range cases {
		c.move(step.move)
		if step.set {
			s.SetCallback(appID, step.to)
		}
		for _, server := range []*Server{s, memoryServer(t, options)} {
			if got := server.states[appID].address(c.Now()); got != step.want {
				t.Errorf("%s: %q, want %q", step.name, got, step.want)
			}
		}
	}
}

func TestNoActivationDelay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	c := &clock{now: day}
	memoryServer(t, Options{File: file, ActivationDelay: time.Hour, Now: c.Now}).SetCallback(appID, &Callback{Url: "http://a"})
	s := memoryServer(t, Options{File: file, Now: c.Now})
	s.SetCallback(appID, &Callback{Url: "http://b"})
	if got := s.states[appID].address(day); got != "http://b" {
		t.Errorf("address %q", got)
	}
}
