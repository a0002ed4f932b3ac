package store_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

func TestSecretsAreBoundToTheirPlace(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		second := settings(borea, "Borea")
		second.Secret = "other"
		f.must(f.AddApp(ctx(t), mei, second))
		for id, want := range map[int64]string{aurora: "k3y", borea: "other"} {
			_, got, err := f.AppWithSecret(ctx(t), id)
			f.must(err)
			same(t, "secret", want, got)
		}
		if rows := f.dumpTable("apps"); strings.Contains(strings.Join(rows, ""), "k3y") {
			t.Error("a secret stands in the database in clear")
		}
		// Two rows change places.
		f.exec(`UPDATE apps SET secret = (SELECT secret FROM apps b WHERE b.sdkappid = $1) WHERE sdkappid = $2`, borea, aurora)
		if _, got, err := f.AppWithSecret(ctx(t), aurora); !errors.Is(err, store.ErrKeys) || got != "" {
			t.Errorf("the secret of another row was read: %v", err)
		}
		// Another column's value.
		sealed, err := store.Seal(f.Store, "key-check", "callboard")
		f.must(err)
		f.exec(`UPDATE apps SET secret = $1 WHERE sdkappid = $2`, sealed, aurora)
		if _, got, err := f.AppWithSecret(ctx(t), aurora); !errors.Is(err, store.ErrKeys) || got != "" {
			t.Errorf("the value of another column was read: %v", err)
		}
		if _, _, err := f.AppWithSecret(ctx(t), 1); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the secret of no app: %v", err)
		}
	})
}

func TestSealAndUnseal(t *testing.T) {
	f := empty(t, storetest.SQLite(t))
	sealed, err := store.Seal(f.Store, "apps/1/secret", "s3cret")
	f.must(err)
	again, err := store.Seal(f.Store, "apps/1/secret", "s3cret")
	f.must(err)
	if string(sealed) == string(again) {
		t.Error("equal secrets look equal when encrypted")
	}
	for place, want := range map[string]string{"apps/1/secret": "s3cret", "apps/2/secret": "", "apps/1/token": "", "": ""} {
		got, err := store.Unseal(f.Store, place, sealed)
		if got != want || errors.Is(err, store.ErrKeys) != (want == "") {
			t.Errorf("at %q: %q, %v", place, got, err)
		}
	}
	for i := range sealed {
		damaged := []byte(string(sealed))
		damaged[i] ^= 1
		if got, err := store.Unseal(f.Store, "apps/1/secret", damaged); !errors.Is(err, store.ErrKeys) || got != "" {
			t.Fatalf("byte %d changed: %q, %v", i, got, err)
		}
	}
}

func TestOtherKeySetIsRefusedAtTheStart(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		before := f.dump()
		other, _, err := store.NewKeys()
		f.must(err)
		s, err := store.Open(ctx(t), store.Options{Database: db.Address, Keys: other})
		if !errors.Is(err, store.ErrKeys) {
			t.Errorf("Open with another key set: %v", err)
			s.Close()
		}
		same(t, "every row", before, f.dump())
	})
}

func TestOtherAuditKeyBreaksTheChain(t *testing.T) {
	keys, text, err := store.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	_, otherText, err := store.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.SQLite(t)
	db.Keys = keys
	f := newFixture(t, db)
	var ours, other map[string]json.RawMessage
	f.must(errors.Join(json.Unmarshal(text, &ours), json.Unmarshal(otherText, &other)))
	ours["audit"] = other["audit"]
	mixed, err := json.Marshal(ours)
	f.must(err)
	db.Keys, err = store.ParseKeys(mixed)
	f.must(err)
	if n, broken, err := empty(t, db).CheckAudit(ctx(t)); n != 1 || !broken || err != nil {
		t.Errorf("CheckAudit with another audit key = %d, %v, %v", n, broken, err)
	}
}

func TestParseKeysNeverQuotesTheText(t *testing.T) {
	_, text, err := store.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	pair := func(encryption, audit string) string {
		return `{"encryption":` + encryption + `,"audit":` + audit + `}`
	}
	encryption, audit := string(file["encryption"]), string(file["audit"])
	damaged := strings.Replace(encryption, `"value":"`, `"value":"!`, 1)
	if damaged == encryption {
		damaged = strings.Replace(encryption, `"value": "`, `"value": "!`, 1)
	}
	tests := map[string]struct{ text, want string }{
		"whole":           {string(text), ""},
		"empty":           {"", "it is not the JSON"},
		"not JSON":        {"s3cret", "it is not the JSON"},
		"cut":             {string(text[:len(text)/2]), "it is not the JSON"},
		"other JSON":      {`"s3cret"`, "it is not the JSON"},
		"no parts":        {`{}`, "encryption part is damaged"},
		"null":            {pair("null", audit), "encryption part is damaged"},
		"not a key set":   {pair(`"s3cret"`, audit), "encryption part is damaged"},
		"damaged":         {pair(damaged, audit), "encryption part is damaged"},
		"no audit part":   {`{"encryption":` + encryption + `}`, "audit part is damaged"},
		"audit not a set": {pair(encryption, `"s3cret"`), "audit part is damaged"},
		"parts exchanged": {pair(audit, encryption), "using the key set"},
		"encryption both": {pair(encryption, encryption), "using the key set"},
	}
	for name, test := range tests {
		keys, err := store.ParseKeys([]byte(test.text))
		if test.want == "" {
			if err != nil || keys == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || keys != nil {
			t.Errorf("%s: %v, want …%s…", name, err, test.want)
			continue
		}
		for _, secret := range []string{"s3cret", "!", `"value"`, "typeUrl", "type.googleapis.com"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error quotes the text: %v", name, err)
			}
		}
	}
}

func TestLoadKeysMakesTheFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := store.LoadKeys(path, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file, create false: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made all the same: %v", err)
	}
	db := storetest.SQLite(t)
	var err error
	if db.Keys, err = store.LoadKeys(path, true); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want -rw-------", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newFixture(t, db)
	// The file is what was used, and is not made again.
	if db.Keys, err = store.LoadKeys(path, true); err != nil {
		t.Fatal(err)
	}
	if _, secret, err := empty(t, db).AppWithSecret(ctx(t), aurora); err != nil || secret != "k3y" {
		t.Errorf("the loaded key set opens nothing: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(text) {
		t.Errorf("the file was written again: %v", err)
	}
	if _, err := store.LoadKeys(filepath.Join(t.TempDir(), "none", "keys.json"), true); err == nil {
		t.Error("a key set was made in a folder that is not there")
	}
}
