package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
	"callboard/store/storetest"
)

// TestUser locks everybody out and lets the command help, beside a console that goes on running.
func TestUser(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		folder := filepath.Join(t.TempDir(), "data")
		place := []string{"--data", folder}
		if db.Name == "postgres" {
			place = append(place, "--database", db.Address)
		}
		p, address := serveAt(t, place...)
		const password = "a password of nobody"
		owner := visit(t, address)
		if got := owner.send("/setup", url.Values{"code": {p.line("Setup code: ")}, "username": {"Owner"}, "password": {password}}); got.status != http.StatusSeeOther {
			t.Fatalf("/setup answers %d", got.status)
		}
		user := func(args ...string) ended {
			t.Helper()
			return finish(t, append(append([]string{"user"}, args...), append(place, "--listen", strings.TrimPrefix(address, "http://"))...)...)
		}
		said := func(text string, args ...string) {
			t.Helper()
			if diff := cmp.Diff(ended{0, text + "\n", ""}, user(args...)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", args, diff)
			}
		}
		refused := func(text string, args ...string) {
			t.Helper()
			if diff := cmp.Diff(ended{1, "", "callboard: " + text + "\n"}, user(args...)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", args, diff)
			}
		}
		refused("Owner is the last active administrator and stays so; make somebody else administrator first", "disable", "owner")
		refused("nobody has the user name \"mei\"; `callboard user list` lists them", "reset", "mei")

		if got := owner.send("/users/new", url.Values{"username": {"mei"}, "role": {"support"}, "scope": {"all"}}); got.status != http.StatusSeeOther {
			t.Fatalf("inviting answers %d", got.status)
		}
		mei := visit(t, address)
		usable(t, mei, user("reset", "mei"), "mei's own password")
		said("mei is administrator now.", "admin", "mei")
		if got := mei.get("/apps"); got.location != "/sign-in?next=%2Fapps" {
			t.Errorf("mei's session survived the new role: %d", got.status)
		}
		said("Owner cannot sign in any more; all sessions have ended.", "disable", "OWNER")
		if owner.get("/apps").status == http.StatusOK || visit(t, address).signIn("owner", password) {
			t.Error("Owner is disabled and still gets in")
		}
		list := user("list")
		fields := strings.Fields(list.Stdout)
		if list.Code != 0 || !cmp.Equal(fields[:8], []string{"NAME", "ROLE", "STATE", "LAST", "USE", "mei", "admin", "active"}) || !cmp.Equal(fields[9:12], []string{"Owner", "admin", "disabled"}) {
			t.Errorf("the list is %+v", list)
		}
		usable(t, owner, user("reset", "owner"), "a third password of nobody") // which enables too
		said("Owner cannot sign in any more; all sessions have ended.", "disable", "owner")
		said("Owner is enabled again.", "enable", "owner")
		said("mei cannot sign in any more; all sessions have ended.", "disable", "mei")
		reset := user("reset", "owner") // the last administrator: the link is the way in
		if owner.get("/apps").status == http.StatusOK || visit(t, address).signIn("owner", "a third password of nobody") {
			t.Error("the password of before works after the reset")
		}
		usable(t, owner, reset, "another password of nobody")
		bare := finish(t, append([]string{"user", "reset", "mei"}, place...)...)
		wanted := regexp.MustCompile("^With this link mei can choose a password, once, within 24 hours; the password of before and all sessions have ended\\.\nPut the console's address before it, or give --public-url or --listen:\n/welcome/[A-Z2-7]{26}\n$")
		if bare.Code != 0 || !wanted.MatchString(bare.Stdout) {
			t.Errorf("without an address the command says %+v", bare)
		}
		if visit(t, address).signIn("owner", password) {
			t.Error("the old password still works")
		}
		mustStop(t, p)
		consoleActed(t, folder, db)
	})
}

// usable opens the link that was printed and sets a password with it.
func usable(t *testing.T, v *visitor, said ended, password string) {
	t.Helper()
	_, link, found := strings.Cut(said.Stdout, "\n"+v.base)
	link = strings.TrimSpace(link)
	if said.Code != 0 || !found {
		t.Fatalf("no link in %+v", said)
	}
	if got := v.send(link, url.Values{"password": {password}}); got.status != http.StatusSeeOther || v.get("/apps").status != http.StatusOK {
		t.Errorf("the link answers %d to %q", got.status, got.location)
	}
}

// consoleActed wants the command's acts in an audit trail that is whole, with the console as who did them.
func consoleActed(t *testing.T, folder string, db storetest.Database) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	if db.Keys, err = store.ParseKeys(text); err != nil {
		t.Fatal(err)
	}
	if db.Name == "sqlite" {
		db.Address = filepath.Join(folder, "callboard.db")
	}
	s := db.Open(t, nil)
	list, err := s.AuditTrail(t.Context(), store.AuditFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range list.Entries {
		if e.Actor == store.Console {
			if !strings.Contains(e.Detail, `"via":"command_line"`) {
				t.Errorf("%s does not say that it was the command line: %s", e.Act, e.Detail)
			}
			acts = append(acts, e.Act+" "+e.Target)
		}
	}
	want := []string{"user.reset mei", "user.reset Owner", "user.disabled mei", "user.enabled Owner", "user.disabled Owner", "user.reset Owner", "user.disabled Owner", "user.rights mei", "user.link mei"}
	if diff := cmp.Diff(want, acts); diff != "" {
		t.Errorf("the console's acts (-want +got):\n%s", diff)
	}
	if _, broken, err := s.CheckAudit(t.Context()); broken || err != nil {
		t.Errorf("the audit trail is broken: %v, %v", broken, err)
	}
}
