package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

// TestKeys rotates and retires with the command while a console of its own process goes on adding and reading secrets.
func TestKeys(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		folder := filepath.Join(t.TempDir(), "data")
		place := []string{"--data", folder}
		if db.Name == "postgres" {
			place = append(place, "--database", db.Address)
		}
		p := launch(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0"}, place...)...)
		address := p.line("Callboard " + versionText() + " is ready at ")
		owner := visit(t, address)
		if got := owner.send("/setup", url.Values{"code": {p.line("Setup code: ")}, "username": {"Owner"}, "password": {"a password of nobody"}}); got.status != http.StatusSeeOther {
			t.Fatalf("/setup answers %d", got.status)
		}
		keys := func(args ...string) ended { return finish(t, append(append([]string{"keys"}, args...), place...)...) }
		says := func(pattern string, args ...string) {
			t.Helper()
			got := keys(args...)
			if !regexp.MustCompile(`^` + pattern + `$`).MatchString(fmt.Sprintf("%d %s%s", got.Code, got.Stdout, got.Stderr)) {
				t.Errorf("keys %q: %+v", args, got)
			}
		}
		table := func(rows ...string) string { return `0 KEY +STATE +PRIMARY +SECRETS\n` + strings.Join(rows, "") }
		adds := func(sdkappid string) {
			t.Helper()
			form := url.Values{"name": {"App " + sdkappid}, "sdkappid": {sdkappid}, "region": {"singapore"}, "identifier": {"administrator"}, "environment": {"test"}, "secret": {"secret-of-" + sdkappid}}
			if got := owner.send("/apps/new", form); got.status != http.StatusSeeOther {
				t.Fatalf("adding an app answers %d", got.status)
			}
		}
		adds("1400000001")
		says(table(`\d+ +in use +yes +2\n`))
		says(table(`\d+ +in use +yes +2\n`), "list")
		says(`0 There is no older key\.\n`, "retire")
		says(`1 callboard: --prepare belongs to .*\n`, "retire", "--prepare")
		says(`0 Key \d+ was added to the key set file and is not in use yet\.\n.*\n`, "rotate", "--prepare")
		says(`0 Key \d+ is in the key set file already .*\n`, "rotate", "--prepare")
		says(`1 callboard: nothing was retired: .* and 2 secrets are encrypted with older ones; .*\n`, "retire")
		adds("1400000002")
		says(table(`\d+ +in use +no +3\n`, `\d+ +prepared +yes +0\n`), "list")
		says(`0 A rotation of before was finished, so no key was added: 3 secrets were encrypted with key \d+\.\n`, "rotate")
		adds("1400000003")
		says(table(`\d+ +older +no +0\n`, `\d+ +in use +yes +4\n`), "list")
		says(`0 Removed from the key set file, as nothing needs them any more: \d+\.\n.*\n`, "retire")
		says(`0 Key \d+ was added and is in use; 4 secrets were encrypted with it\.\n.*\n`, "rotate")
		says(`0 Removed .*\n.*\n`, "retire")
		adds("1400000004") // with a console that knows none of the keys in use
		says(table(`\d+ +in use +yes +5\n`), "list")
		if owner.get("/apps").status != http.StatusOK {
			t.Error("the session was lost")
		}
		if code := p.stop(); code != 0 {
			t.Errorf("the console ended with %d: %s", code, p.stderr)
		}
		text, err := os.ReadFile(filepath.Join(folder, "keyset.json"))
		if err != nil {
			t.Fatal(err)
		}
		given := finish(t, append([]string{"keys", "rotate", "--keyset", string(text)}, place...)...)
		if given.Code != 1 || !strings.Contains(given.Stderr, "put its text into a file") || strings.Contains(given.Stderr, "keyId") {
			t.Errorf("with the key set in an option: %+v", given)
		}
		readsSecrets(t, folder, db)
	})
}

// readsSecrets opens the database with the key set file as it is, and reads what the pages wrote.
func readsSecrets(t *testing.T, folder string, db storetest.Database) {
	t.Helper()
	var err error
	if db.Keys, err = store.LoadKeys(filepath.Join(folder, "keyset.json"), false); err != nil {
		t.Fatal(err)
	}
	if db.Name == "sqlite" {
		db.Address = filepath.Join(folder, "callboard.db")
	}
	s := db.Open(t, nil)
	for id := int64(1400000001); id <= 1400000004; id++ {
		if _, secret, err := s.AppWithSecret(t.Context(), id); err != nil || secret != fmt.Sprint("secret-of-", id) {
			t.Errorf("the secret of %d: %v", id, err)
		}
	}
	if _, broken, err := s.CheckAudit(t.Context()); broken || err != nil {
		t.Errorf("the audit trail is broken: %v, %v", broken, err)
	}
}
